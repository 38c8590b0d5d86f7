"""Emergencies that end by themselves, and exemptions that take a second person."""

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid
from django.db import migrations, models

# Nobody approves what they asked for, whatever a service says.
BY_ANOTHER = """
ALTER TABLE public.policies_exemption ADD CONSTRAINT exemption_by_another
  CHECK (approver_identity = '' OR approver_identity <> ALL (authors));
"""
HOLDING = "UPDATE public.policies_exemption SET holds_since = created_at;"


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0003_backtest"),
    ]

    operations = [
        migrations.AddField(
            model_name="exemption",
            name="approver",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="exemption",
            name="approver_identity",
            field=models.CharField(blank=True, default="", max_length=80),
        ),
        migrations.AddField(
            model_name="exemption",
            name="authors",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=80), blank=True, default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="exemption",
            name="holds_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(BY_ANOTHER, migrations.RunSQL.noop),
        migrations.RunSQL(HOLDING, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="activation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("found", "Found"),
                    ("publish", "Publish"),
                    ("activate", "Activate"),
                    ("attach", "Attach"),
                    ("rollback", "Rollback"),
                    ("emergency", "Emergency"),
                    ("expire", "Expire"),
                    ("schedule", "Schedule"),
                    ("rollout", "Rollout"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="Emergency",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("expires_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("approved", "Approved"),
                            ("expired", "Expired"),
                            ("superseded", "Superseded"),
                            ("failed", "Failed"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("note", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "before",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.policyversion",
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="emergencies",
                        to="policies.policy",
                    ),
                ),
                (
                    "review",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="emergency",
                        to="policies.review",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="policies.policyversion",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "emergencies",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "running")),
                        fields=["expires_at"],
                        name="emergency_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "running")),
                        fields=("policy",),
                        name="emergency_running_once",
                    )
                ],
            },
        ),
    ]
