"""What the OAuth2 server accepts: PKCE by S256 alone, only the grants that we know, at a pace.

Whatever it gives out or ends becomes an event in the same transaction.
"""

import datetime
import hashlib
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_refresh_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2 import InvalidGrantError, OAuth2Error

from gateway.oauth import events
from gateway.oauth.events import note_oauth, of_application
from gateway.services.applications import GRANTS
from tenants import sign_in
from tenants.selectors import actor_of
from tenants.sign_in import Pace

ISSUES = Pace(300, datetime.timedelta(seconds=10))
"""Of tokens that an application gets for itself, or for one person; each of them is an event."""


class TooManyTokensError(OAuth2Error):  # type: ignore[misc]  # untyped
    """An application asks for tokens faster than it can have use for them."""

    error = "slow_down"
    description = "Too many tokens: keep one until it expires."
    status_code = HTTPStatus.TOO_MANY_REQUESTS.value

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self._wait_s = wait_s

    @property
    def headers(self) -> dict[str, str]:
        """Return when to ask again."""
        return {"Retry-After": str(self._wait_s)}


class Validator(OAuth2Validator):  # type: ignore[misc]  # untyped
    """The library's validator, narrowed."""

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse every grant of an application that no service of ours could have given it."""
        is_ours = request.client.authorization_grant_type in GRANTS
        allowed = super().validate_grant_type(
            client_id, grant_type, client, request, *args, **kwargs
        )
        return bool(is_ours and allowed)

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse the code of somebody who may sign in no more."""
        good = super().validate_code(client_id, code, client, request, *args, **kwargs)
        return bool(good and request.user.is_active)

    @transaction.atomic
    def save_authorization_code(
        self, client_id: str, code: Any, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Store a code, with the event of the consent that it stands for."""
        super().save_authorization_code(client_id, code, request, *args, **kwargs)
        told = {
            "scopes": sorted(request.scopes),
            "redirect_uri": request.redirect_uri,
            "was_asked": request.http_method == "POST",
        }
        person = actor_of(request.user, _source(request))
        note_oauth(person, events.GIVE, request.client, told)

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse a token of somebody who may sign in no more; one used before ends its family."""
        used = _used_before(refresh_token)
        with transaction.atomic():
            good = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
            if not good and used is not None:
                told = {"person": used.user.email, "ended": "every token of the family"}
                actor = of_application(client, _source(request))
                note_oauth(actor, events.REUSE, used.application, told)
        return bool(good and request.user.is_active)

    def _save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        """Store what is issued, with its event; the library has opened the transaction."""
        by_itself = request.grant_type == "client_credentials"
        person = None if by_itself else request.user
        subject = sign_in.subject("oauth issue", f"{request.client.id} {person and person.pk}")
        wait_s = sign_in.take(subject, ISSUES, timezone.now())
        if wait_s:
            raise TooManyTokensError(wait_s)
        super()._save_bearer_token(token, request, *args, **kwargs)
        if not token["access_token"]:  # another request has used the refresh token just now
            raise InvalidGrantError(request=request)
        issued = get_access_token_model().objects.get(token_checksum=_sum(token["access_token"]))
        told = {
            "token": issued.pk,
            "grant": request.grant_type,
            "person": None if person is None else person.email,
            "scopes": sorted(issued.scope.split()),
            "expires_at": issued.expires.isoformat(),
        }
        actor = of_application(request.client, _source(request))
        note_oauth(actor, events.ISSUE, request.client, told)

    @transaction.atomic
    def revoke_token(
        self, token: str, token_type_hint: str, request: Any, *args: Any, **kwargs: Any
    ) -> None:
        """End a token of the application that asks, with its event; ended twice is ended once."""
        terms = {"token_checksum": _sum(token), "application": request.client}
        access = get_access_token_model().objects.filter(**terms).first()
        refresh = get_refresh_token_model().objects.filter(**terms, revoked=None).first()
        super().revoke_token(token, token_type_hint, request, *args, **kwargs)
        found = access or refresh
        if found is None:
            return
        told = {
            "token": access.pk if access is not None else refresh.access_token_id,
            "presented": "access token" if access is not None else "refresh token",
            "person": None if found.user is None else found.user.email,
        }
        actor = of_application(request.client, _source(request))
        note_oauth(actor, events.REVOKE, request.client, told)


def _used_before(refresh_token: str) -> Any:
    """Return a spent refresh token whose family still has one that is good."""
    tokens = get_refresh_token_model().objects
    spent = tokens.filter(token_checksum=_sum(refresh_token), revoked__isnull=False)
    found = spent.select_related("user", "application__tenant").first()
    if found is None:
        return None
    return found if tokens.filter(token_family=found.token_family, revoked=None).exists() else None


def _source(request: Any) -> str:
    return str(request.headers.get("REMOTE_ADDR", ""))


def _sum(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
