"""The tenants room as Django sees it."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Who calls, and what they may spend."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"
