"""Which scopes an application may ask for: those that it was made with."""

from collections.abc import Mapping
from typing import Any

from oauth2_provider.scopes import BaseScopes

from gateway.models import OAuthApplication
from gateway.scopes import SCOPES


class OfApplication(BaseScopes):  # type: ignore[misc]  # untyped
    """Bounds every token by its application's own list."""

    def get_all_scopes(self) -> Mapping[str, str]:
        """Return every scope, with what it allows."""
        return SCOPES

    def get_available_scopes(
        self, application: OAuthApplication | None = None, *_: Any, **__: Any
    ) -> list[str]:
        """Return what the application may ask for."""
        return [] if application is None else list(application.scopes)

    def get_default_scopes(
        self, application: OAuthApplication | None = None, *_: Any, **__: Any
    ) -> list[str]:
        """Return what a request that names no scope asks for: all that it may."""
        return self.get_available_scopes(application)
