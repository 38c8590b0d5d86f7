"""Reading why a call was decided as it was leaves an event."""

import datetime
import uuid

from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, Thing, note_of
from tenants.models import Tenant
from tenants.permissions import require
from tenants.sign_in import Pace, subject, take

AGAIN = Pace(1, datetime.timedelta(minutes=10))
"""Whoever goes back and forth between a list and a call reads it once."""


@transaction.atomic
def call_explain(*, actor: Actor, tenant: Tenant, call_id: uuid.UUID, reason: str = "") -> bool:
    """Note that somebody reads a call's explanation; False where they did a moment ago."""
    require(actor, "call.explain", tenant)
    whose = f"{actor.kind} {actor.id} {call_id}"
    if take(subject("call.explain", whose), AGAIN, timezone.now()):
        return False
    change = Change(actor, "call.explain", tenant.id, tenant.name, reason)
    thing = Thing("call", str(call_id), str(call_id))
    note_of(change, thing, before=None, after={"read": "the explanation"})
    return True
