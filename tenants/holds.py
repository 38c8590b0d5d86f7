"""The upkeep of holds: a new epoch a day, and no claim kept longer than it can be met again.

A sequence number guards against a Redis that gives it out twice, so a claim must stay as long as
its epoch is in force. After that it can go: who still counts under an old epoch is refused by it.
"""

import datetime

from django.db.models import F, OuterRef, Q, Subquery

from tenants.models import Hold, TenantEpoch

KEEP = datetime.timedelta(days=2)
KEEP_LOST = datetime.timedelta(days=40)
"""A lost attempt is posted provisionally: what it really cost may still be learned."""


def epochs_turn() -> int:
    """Raise every tenant's epoch; workers notice at their next admission, and rebuild."""
    return TenantEpoch.objects.update(epoch=F("epoch") + 1)


def holds_prune(now: datetime.datetime) -> int:
    """Delete closed holds of epochs that are over; return how many."""
    current = TenantEpoch.objects.filter(tenant_id=OuterRef("tenant_id")).values("epoch")[:1]
    over = Hold.objects.annotate(current=Subquery(current)).filter(
        Q(epoch=None) | Q(epoch__lt=F("current"))
    )
    closed = over.filter(state__in=("settled", "void"), created_at__lt=now - KEEP)
    lost = over.filter(state="lost", created_at__lt=now - KEEP_LOST)
    return int(closed.delete()[0] + lost.delete()[0])
