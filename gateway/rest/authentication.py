"""Who calls the management API: the bearer of an OAuth2 token, or a person in a session."""

import hashlib
from typing import Any

from django.utils import timezone
from oauth2_provider.models import get_access_token_model
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from audit.rest.access import Caller
from gateway.selectors import bearer
from tenants.models import User
from tenants.selectors import actor_of

TOKEN_MAX = 255


class Bearer(BaseAuthentication):
    """Reads `Authorization: Bearer`; a token in an address or a body is none."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        """Return who bears the token, None where none is presented, or refuse it."""
        scheme, _, presented = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        token = presented.strip()
        if scheme.lower() != "bearer" or not token.isascii() or len(token) > TOKEN_MAX:
            raise AuthenticationFailed("Only bearer tokens of this installation are taken.")
        checksum = hashlib.sha256(token.encode()).hexdigest()
        found = (
            get_access_token_model()
            .objects.select_related("user", "application__tenant")
            .filter(token_checksum=checksum, expires__gt=timezone.now())
            .first()
        )
        actor = bearer(found, request.META.get("REMOTE_ADDR", "")) if found else None
        if found is None or actor is None:
            raise AuthenticationFailed("This token is unknown, expired or revoked.")
        return found.user, Caller(actor, frozenset(found.scope.split()))

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        has_presented = bool(request.META.get("HTTP_AUTHORIZATION"))
        return 'Bearer realm="gatehouse"' + (', error="invalid_token"' if has_presented else "")


class Session(SessionAuthentication):
    """Takes the console's session; a write needs the CSRF token as well."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        """Return who is signed in, or None."""
        found = super().authenticate(request)
        if found is None or not isinstance(found[0], User):
            return None
        user = found[0]
        return user, Caller(actor_of(user, request.META.get("REMOTE_ADDR", "")))
