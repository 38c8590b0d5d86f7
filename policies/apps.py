"""The policies room as Django sees it."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """What is allowed."""

    name = "policies"
    default_auto_field = "django.db.models.BigAutoField"
