from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_cors"),
    ]

    operations = [
        migrations.AddField("app", "cache", models.BooleanField(default=False)),
    ]
