"""Sums that pages are drawn from: usage without users and tags, and the postings of budgets."""

import django.contrib.postgres.fields
from django.db import migrations, models


# Postings are added up by the transaction that wrote them, as tenants/usage/postings.py says. Rows
# lie in about that order: the smallest of indexes finds the newest.
TRANSACTION = """
ALTER TABLE public.tenants_ledgerposting
  ADD COLUMN xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX posting_xid ON public.tenants_ledgerposting
  USING brin (xid) WITH (pages_per_range = 32, autosummarize = on);
ANALYZE public.tenants_ledgerposting;
"""
FILL = """
INSERT INTO public.tenants_usagetotal (granularity, tenant_id, start, app_id, key_id, model,
  currency, {names}, latency)
SELECT granularity, tenant_id, start, app_id, key_id, model, currency, {sums},
  public.tenants_add_counts(latency)
FROM public.tenants_usagerollup GROUP BY 1, 2, 3, 4, 5, 6, 7;
"""
MEASURES = (
    "calls", "refused", "denied", "redacted", "failed", "lost", "input_tokens", "output_tokens",
    "cached_tokens", "cost_pico", "cost_micros", "latency_ms",
)  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0003_usage"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagemark",
            name="hours_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="PostingMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("xid", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="posting_mark_is_one"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PostingSum",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("budget_id", models.UUIDField()),
                ("window_start", models.DateTimeField()),
                ("group", models.CharField(blank=True, max_length=300)),
                ("slot", models.IntegerField()),
                ("micros", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("budget_id", "window_start", "group", "slot"),
                        name="posting_sum_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageTotal",
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
                    models.Index(
                        fields=["tenant_id", "granularity", "start"], name="usage_total_window"
                    )
                ],
            },
        ),
        migrations.RunSQL(TRANSACTION, "ALTER TABLE public.tenants_ledgerposting DROP COLUMN xid"),
        migrations.RunSQL(
            FILL.replace("{names}", ", ".join(MEASURES)).replace(
                "{sums}", ", ".join(f"sum({name})" for name in MEASURES)
            ),
            migrations.RunSQL.noop,
        ),
    ]
