"""How routes choose and stand in for deployments; timeouts, spare credentials, health checks."""

import django.contrib.postgres.fields
import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_cache_write_price"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="credential",
            name="credential_one_active",
        ),
        migrations.AddField(
            model_name="credential",
            name="label",
            field=models.CharField(
                blank=True,
                default="",
                max_length=63,
                validators=[
                    django.core.validators.RegexValidator(
                        "\\A[a-z0-9][a-z0-9-]{0,62}\\Z",
                        "a label is 1 to 63 of a-z, 0-9 and - (not first)",
                    )
                ],
            ),
        ),
        migrations.AddField(
            model_name="deployment",
            name="connect_s",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="deployment",
            name="first_byte_s",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="deployment",
            name="idle_s",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="deployment",
            name="total_s",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="provider",
            name="health_check",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="route",
            name="context_tokens",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="route",
            name="fallbacks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=120), blank=True, default=list, size=5
            ),
        ),
        migrations.AddField(
            model_name="route",
            name="hedge_after_ms",
            field=models.PositiveIntegerField(
                default=0, validators=[django.core.validators.MaxValueValidator(60000)]
            ),
        ),
        migrations.AddField(
            model_name="route",
            name="regional",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="route",
            name="retries",
            field=models.PositiveSmallIntegerField(
                default=0, validators=[django.core.validators.MaxValueValidator(5)]
            ),
        ),
        migrations.AddField(
            model_name="route",
            name="sticky",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="route",
            name="strategy",
            field=models.CharField(
                choices=[
                    ("weighted", "Weighted"),
                    ("least_busy", "Least Busy"),
                    ("latency", "Latency"),
                    ("cost", "Cost"),
                ],
                default="weighted",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "active")),
                fields=("provider", "label"),
                name="credential_one_active_per_label",
            ),
        ),
    ]
