"""Exports, and in each record the transaction that wrote it: what is new since a snapshot."""

import uuid
from django.db import migrations, models


# No row's time and no sequence is monotone in commits, a transaction's number is (in one direction):
# see tenants/usage/rolling.py. New partitions take the column and the index from the table.
TRANSACTION = """
ALTER TABLE public.audit_record ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX record_xid ON public.audit_record (xid);
"""
UNDO = "ALTER TABLE public.audit_record DROP COLUMN xid"


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant_id", models.UUIDField()),
                ("tenant", models.CharField(max_length=63)),
                ("creator_id", models.CharField(max_length=64)),
                ("creator", models.CharField(max_length=200)),
                ("filter", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("error", models.TextField(blank=True, default="")),
                ("job_id", models.UUIDField()),
                ("rows", models.PositiveBigIntegerField(blank=True, null=True)),
                ("size_bytes", models.PositiveBigIntegerField(blank=True, null=True)),
                ("parts", models.JSONField(blank=True, default=list)),
                ("downloads", models.PositiveIntegerField(default=0)),
                ("downloaded_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("ready_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant_id", "-created_at"], name="export_of_tenant"),
                    models.Index(
                        condition=models.Q(("state", "ready")),
                        fields=["expires_at"],
                        name="export_to_expire",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("expires_at", None),
                                ("ready_at", None),
                                ("state__in", ("pending", "failed")),
                            ),
                            models.Q(
                                ("expires_at__isnull", False),
                                ("ready_at__isnull", False),
                                ("state__in", ("ready", "expired")),
                            ),
                            _connector="OR",
                        ),
                        name="export_ready_has_its_times",
                    )
                ],
            },
        ),
        migrations.RunSQL(TRANSACTION, UNDO),
    ]
