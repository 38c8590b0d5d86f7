"""The services that an app may call."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0007_transformation"),
    ]

    operations = [
        migrations.AddField(
            model_name="app",
            name="services",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=63), blank=True, default=list, size=None
            ),
        ),
    ]
