"""Usage rolled up, how far it is, and in each ledger entry the transaction that wrote it."""

import django.contrib.postgres.fields
from django.db import migrations, models


TRANSACTION = """
ALTER TABLE public.tenants_ledgerentry ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX ledger_xid ON public.tenants_ledgerentry (xid);
"""
# Histograms add up place by place.
ADD_COUNTS = """
CREATE FUNCTION public.tenants_add_two_counts(one bigint[], other bigint[]) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  FOR place IN 1 .. array_length(other, 1) LOOP
    one[place] := one[place] + other[place];
  END LOOP;
  RETURN one;
END $$;
CREATE AGGREGATE public.tenants_add_counts(bigint[]) (
  SFUNC = public.tenants_add_two_counts, STYPE = bigint[], PARALLEL = SAFE
);
"""
UNDO = """
DROP AGGREGATE public.tenants_add_counts(bigint[]);
DROP FUNCTION public.tenants_add_two_counts(bigint[], bigint[]);
ALTER TABLE public.tenants_ledgerentry DROP COLUMN xid;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_signinpace"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageCalendar",
            fields=[
                ("tenant_id", models.UUIDField(primary_key=True, serialize=False)),
                ("timezone", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="UsageMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("xid", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="usage_mark_is_one")
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageRollup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "granularity",
                    models.CharField(choices=[("hour", "Hour"), ("day", "Day")], max_length=4),
                ),
                ("tenant_id", models.UUIDField()),
                ("start", models.DateTimeField()),
                ("app_id", models.UUIDField(null=True)),
                ("key_id", models.CharField(max_length=10)),
                ("model", models.CharField(max_length=120)),
                ("user", models.CharField(max_length=200)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=300), size=None
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("calls", models.BigIntegerField()),
                ("refused", models.BigIntegerField()),
                ("denied", models.BigIntegerField()),
                ("redacted", models.BigIntegerField()),
                ("failed", models.BigIntegerField()),
                ("lost", models.BigIntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("cost_pico", models.DecimalField(decimal_places=0, max_digits=30)),
                ("cost_micros", models.BigIntegerField()),
                ("latency_ms", models.BigIntegerField()),
                (
                    "latency",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), size=None
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant_id", "granularity", "start"], name="usage_window")
                ],
            },
        ),
        migrations.RunSQL(TRANSACTION, migrations.RunSQL.noop),
        migrations.RunSQL(ADD_COUNTS, UNDO),
    ]
