"""What the OAuth2 server did, as events of the application's tenant. No code, token or secret."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from audit.actor import Actor
from audit.services import Change, note
from gateway.models import OAuthApplication

GIVE = "oauth_consent.give"
REFUSE = "oauth_consent.refuse"
ISSUE = "oauth_token.issue"
REVOKE = "oauth_token.revoke"
REUSE = "oauth_token.reuse"


def of_application(application: OAuthApplication, source: str) -> Actor:
    """Return the application as an actor: it asks for tokens and ends them."""
    return Actor("application", str(application.id), application.name, source)


@transaction.atomic
def note_oauth(
    actor: Actor, action: str, application: OAuthApplication, told: Mapping[str, Any]
) -> None:
    """Write the event of something that the library did in this same transaction."""
    tenant = application.tenant
    change = Change(
        actor, action, None if tenant is None else tenant.id, "" if tenant is None else tenant.name
    )
    note(change, application, before=None, after=dict(told))
