"""Other upstreams beside the models, and our secrets there."""

import django.core.validators
import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0010_route_transformation"),
    ]

    operations = [
        migrations.CreateModel(
            name="Service",
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
                ("base_url", models.CharField(max_length=400)),
                ("allow_private", models.BooleanField(default=False)),
                ("region", models.CharField(blank=True, default="", max_length=63)),
                ("header", models.CharField(default="authorization", max_length=63)),
                ("scheme", models.CharField(blank=True, default="Bearer", max_length=63)),
                ("price_pico", models.PositiveBigIntegerField(blank=True, null=True)),
                ("currency", models.CharField(blank=True, default="", max_length=3)),
                (
                    "retries",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(5)]
                    ),
                ),
                ("connect_s", models.PositiveSmallIntegerField(default=0)),
                ("first_byte_s", models.PositiveSmallIntegerField(default=0)),
                ("idle_s", models.PositiveSmallIntegerField(default=0)),
                ("total_s", models.PositiveSmallIntegerField(default=0)),
                ("operations", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("currency", ""), ("price_pico", None)),
                            models.Q(
                                ("price_pico__isnull", False),
                                models.Q(("currency", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="service_price_has_a_currency",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ServiceCredential",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sealed", models.BinaryField()),
                ("key_id", models.CharField(max_length=16)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "service",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credential",
                        to="gateway.service",
                    ),
                ),
            ],
        ),
    ]
