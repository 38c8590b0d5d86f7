"""The audit room as Django sees it."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """What happened: append-only evidence."""

    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"
