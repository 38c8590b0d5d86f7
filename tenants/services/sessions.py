"""Events of coming in and leaving: they change nothing, and are evidence all the same.

What somebody typed is in none of them: neither a password nor the e-mail of an account that there
is not. Attempts that fail leave one event a minute for each account; those for accounts that there
are not, one a minute for each network they come from.
"""

import datetime

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, Thing, note_of, thing_of
from tenants.models import Tenant, User
from tenants.sign_in import Pace, network, subject, take

REFUSALS = Pace(1, datetime.timedelta(minutes=1))
NOBODY = Thing("user", "", "an unknown account")


@transaction.atomic
def session_open(*, actor: Actor, user: User, reason: str = "") -> None:
    """Note that a person has signed in."""
    change = _change(actor, "session.open", user, reason)
    note_of(change, thing_of(user), before=None, after={"owns_installation": user.is_superuser})


@transaction.atomic
def session_close(*, actor: Actor, user: User, reason: str = "") -> None:
    """Note that a person has signed out."""
    change = _change(actor, "session.close", user, reason)
    note_of(change, thing_of(user), before={"signed_in": True}, after=None)


@transaction.atomic
def session_refuse(*, actor: Actor, email: str, reason: str = "") -> bool:
    """Note that somebody failed to sign in; False where such an event is not a minute old."""
    user = User.objects.filter(email__iexact=email.strip()).first()
    whose = f"account {user.pk}" if user else f"network {network(actor.source)}"
    if take(subject("session.refuse", whose), REFUSALS, timezone.now()):
        return False
    change = _change(actor, "session.refuse", user, reason)
    thing = thing_of(user) if user else NOBODY
    note_of(change, thing, before=None, after={"why": _why(user)})
    return True


def _why(user: User | None) -> str:
    if user is None:
        return "there is no such account"
    return "the password is wrong" if user.is_active else "the account is closed"


def _change(actor: Actor, action: str, user: User | None, reason: str) -> Change:
    """Return the change, in the person's tenant; of several, or of none, the platform's it is."""
    tenants = list(Tenant.objects.filter(memberships__user=user).distinct()[:2]) if user else []
    if len(tenants) != 1:
        return Change(actor, action, reason=reason)
    return Change(actor, action, tenants[0].id, tenants[0].name, reason)
