from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0009_tenant_pii_entities"),
    ]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="detectors",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
