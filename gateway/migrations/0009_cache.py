from typing import Any

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


def _whole(most: int) -> Any:
    return models.PositiveIntegerField(
        default=0, validators=[django.core.validators.MaxValueValidator(most)]
    )


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0008_clouds"),
        ("tenants", "0006_cache"),
    ]

    operations = [
        migrations.AddField("route", "cache_ttl_s", _whole(2592000)),
        migrations.AddField("route", "cache_stale_s", _whole(2592000)),
        migrations.AddField("route", "cache_entry_bytes", _whole(16777216)),
        migrations.AddField(
            "route",
            "cache_hit_percent",
            models.PositiveSmallIntegerField(
                default=0, validators=[django.core.validators.MaxValueValidator(100)]
            ),
        ),
        migrations.AddField(
            "route",
            "cache_vary",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=67,
                    validators=[
                        django.core.validators.RegexValidator(
                            "\\A(?:app|key|user|tag:[a-z0-9][a-z0-9._-]{0,62})\\Z",
                            "answers vary by app, key, user or tag:NAME",
                        )
                    ],
                ),
                blank=True,
                default=list,
                size=8,
            ),
        ),
        migrations.CreateModel(
            name="CachePurge",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("scope", models.CharField(blank=True, max_length=130)),
                ("revision", models.PositiveBigIntegerField()),
                ("at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "scope"), name="cache_purge_once")
                ],
            },
        ),
    ]
