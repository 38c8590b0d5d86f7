"""The gateway room as Django sees it."""

from django.apps import AppConfig


class GatewayConfig(AppConfig):
    """How a call passes."""

    name = "gateway"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Load the Celery application, so that tasks sent by name find their broker, and say how
        the rooms below learn which models, services and applications there are."""
        import gateway.celery  # noqa: F401, PLC0415  (needs the app registry)
        from gateway.selectors import (  # noqa: PLC0415  (so does this)
            application_actor,
            guard_kinds,
            model_names,
            service_names,
        )
        from policies.clearance import provide_applications  # noqa: PLC0415  (so does this)
        from policies.vocabulary import (  # noqa: PLC0415  (so does this)
            provide,
            provide_own_kinds,
        )

        provide("models", model_names)
        provide("services", service_names)
        provide_own_kinds(guard_kinds)
        provide_applications(application_actor)
