"""The tables of the gateway room, and what the database itself refuses."""

import django.core.validators
import django.db.models.deletion
import uuid
from django.db import migrations, models


APPEND_ONLY = "SELECT public.audit_make_append_only('public.gateway_price');"

# A bundle is never changed; old ones are deleted.
FROZEN_BUNDLES = """
CREATE TRIGGER append_only BEFORE UPDATE ON public.gateway_bundlerevision
FOR EACH ROW EXECUTE FUNCTION public.audit_refuse_change();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="BundleRevision",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField()),
                ("revision", models.PositiveBigIntegerField()),
                ("body", models.BinaryField()),
                ("checksum", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "revision"), name="bundle_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9][a-z0-9._-]{0,62}\\Z",
                                "a name is 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit",
                            )
                        ],
                    ),
                ),
                (
                    "dialect",
                    models.CharField(
                        choices=[("openai", "Openai"), ("simulated", "Simulated")], max_length=32
                    ),
                ),
                ("base_url", models.CharField(blank=True, default="", max_length=400)),
                ("allow_private", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("base_url", ""), ("dialect", "simulated")),
                            models.Q(
                                models.Q(("dialect", "simulated"), _negated=True),
                                models.Q(("base_url", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="provider_has_an_origin_unless_simulated",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Route",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=120,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,119}\\Z",
                                "a model name is 1 to 120 of letters, digits and . _ : / @ + -",
                            )
                        ],
                    ),
                ),
                ("max_output_tokens", models.PositiveIntegerField(default=16384)),
                ("default_max_output_tokens", models.PositiveIntegerField(default=2048)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("default_max_output_tokens__lte", models.F("max_output_tokens")),
                            ("default_max_output_tokens__gte", 1),
                        ),
                        name="route_default_cap_within_maximum",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Deployment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("model", models.CharField(max_length=200)),
                ("weight", models.PositiveSmallIntegerField(default=1)),
                ("priority", models.PositiveSmallIntegerField(default=0)),
                ("region", models.CharField(blank=True, default="", max_length=63)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deployments",
                        to="gateway.provider",
                    ),
                ),
                (
                    "route",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deployments",
                        to="gateway.route",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Credential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sealed", models.BinaryField()),
                ("key_id", models.CharField(max_length=16)),
                (
                    "state",
                    models.CharField(
                        choices=[("active", "Active"), ("retired", "Retired")],
                        default="active",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credentials",
                        to="gateway.provider",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")),
                        fields=("provider",),
                        name="credential_one_active",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Price",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("withdrawn", models.BooleanField(default=False)),
                ("currency", models.CharField(max_length=3)),
                ("input_pico", models.PositiveBigIntegerField()),
                ("output_pico", models.PositiveBigIntegerField()),
                ("cached_input_pico", models.PositiveBigIntegerField(blank=True, null=True)),
                ("request_pico", models.PositiveBigIntegerField(default=0)),
                ("effective_from", models.DateTimeField()),
                ("source", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "deployment",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="gateway.deployment",
                    ),
                ),
                (
                    "route",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="gateway.route",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("deployment__isnull", False), ("route", None)),
                            models.Q(("deployment", None), ("route__isnull", False)),
                            _connector="OR",
                        ),
                        name="price_of_a_route_or_a_deployment",
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="deployment",
            constraint=models.UniqueConstraint(
                fields=("route", "provider", "model", "region"), name="deployment_once_per_route"
            ),
        ),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
        migrations.RunSQL(FROZEN_BUNDLES, migrations.RunSQL.noop),
    ]
