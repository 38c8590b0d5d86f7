"""Detaching a policy takes a second person where its texts do."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0004_emergency_and_second_person"),
    ]

    operations = [
        migrations.AddField(
            model_name="attachment",
            name="detach_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="attachment",
            name="detach_asked_by",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="attachment",
            name="detach_authors",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="attachment",
            name="detach_reason",
            field=models.CharField(blank=True, default="", max_length=1000),
        ),
    ]
