from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0006_cache"),
    ]

    operations = [
        migrations.AddField(
            model_name="app",
            name="transformation",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="tenant",
            name="default_model",
            field=models.CharField(blank=True, default="", max_length=120),
        ),
        migrations.AddField(
            model_name="tenant",
            name="tier_models",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
