from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0005_cors"),
    ]

    operations = [
        migrations.AddField("app", "cache", models.BooleanField(default=False)),
        *(
            migrations.AddField(table, measure, models.BigIntegerField(default=0))
            for table in ("usagerollup", "usagetotal")
            for measure in ("cache_hits", "cache_misses", "saved_micros")
        ),
    ]
