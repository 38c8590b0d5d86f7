from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0009_cache"),
    ]

    operations = [
        migrations.AddField(
            model_name="route",
            name="transformation",
            field=models.JSONField(blank=True, default=list),
        ),
    ]
