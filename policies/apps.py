"""The policies room as Django sees it."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """What is allowed."""

    name = "policies"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say how the room below learns whether a tenant's own detectors can be used."""
        from policies.own_detectors import checked  # noqa: PLC0415  (needs the app registry)
        from tenants.detectors import provide  # noqa: PLC0415  (so does this)

        provide(checked)
