"""Finds the few calls that ended in a way that is rare."""

from django.db import migrations

INDEX = """
CREATE INDEX record_told ON public.audit_record (tenant_id, kind, call_id)
  WHERE code <> '' OR kind = 'lost';
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_export_and_transaction_numbers"),
    ]

    operations = [migrations.RunSQL(INDEX, "DROP INDEX public.record_told")]
