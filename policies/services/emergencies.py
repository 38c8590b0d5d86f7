"""Writes to emergencies: a text in force without anybody's approval, for some hours at most."""

import datetime
import logging
from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, note
from policies.clearance import sha256_of
from policies.identity import joined
from policies.inforce import bring, brought, check_base, settle, void
from policies.models import Activation, Draft, Emergency, Policy, PolicyVersion, Review
from policies.scopes import require_over, scopes_of
from policies.services.drafts import as_read
from policies.versions import checked, frozen
from policies.vocabulary import names_for
from tenants.changes import change_alone
from tenants.permissions import require

log = logging.getLogger(__name__)

HOURS_MAX = 72


@transaction.atomic
def policy_emergency_publish(
    *,
    actor: Actor,
    policy: Policy,
    source: str,
    hours: int,
    reason: str,
    draft: Draft | None = None,
) -> PolicyVersion:
    """Bring a text into force without anybody's approval; its review stays open, to be done after.

    Unless somebody else has approved it within these `hours` (1 to 72), the version that was in
    force before comes back by itself. The text is sound and its own tests pass all the same.
    """
    change_alone()
    policy = Policy.objects.select_related("active").get(pk=policy.pk)
    scopes = require_over(actor, "policy_emergency.publish", policy)
    if not reason.strip():
        raise ValidationError({"reason": "an emergency takes a reason"})
    if not 1 <= hours <= HOURS_MAX:
        raise ValidationError({"hours": f"an emergency lasts 1 to {HOURS_MAX} hours"})
    document = checked(policy, source, names_for(actor))
    before = _before(policy, document.hash)
    authors = joined([], actor)
    if draft is not None:
        draft = as_read(draft)
        check_base(draft, policy)
        authors = joined(draft.authors, actor)
    settle(draft)
    version = frozen(policy, document, source, draft.author if draft else actor.name)
    void(policy)
    review = Review(
        policy=policy,
        base=policy.active,
        version=version,
        source=source,
        text_sha256=sha256_of(source),
        afterwards=True,
        author=actor.name,
        authors=authors,
        request=reason,
    )
    review.full_clean()
    review.save(force_insert=True)
    change = Change(actor, "policy_emergency.publish", reason=reason)
    bring(change, policy, version, scopes, Activation.Kind.EMERGENCY)
    expires_at = timezone.now() + datetime.timedelta(hours=hours)
    terms = {"review": review, "version": version, "before": before, "expires_at": expires_at}
    Emergency.objects.create(policy=policy, **terms)
    _warn("policy_emergency", policy, version, actor=actor.name, expires_at=expires_at.isoformat())
    return version


@transaction.atomic
def policy_emergency_expire(*, actor: Actor, emergency: Emergency, reason: str = "") -> bool:
    """Bring back what was in force before an emergency whose time is over; False where it may not.

    What makes that impossible, a clash with other policies, is written at the emergency: its text
    stays in force then.
    """
    require(actor, "policy_emergency.expire", None)
    change_alone()
    emergency = Emergency.objects.select_related("policy__active", "version", "before").get(
        pk=emergency.pk
    )
    if emergency.state != Emergency.State.RUNNING or emergency.expires_at > timezone.now():
        return False
    emergency.state, emergency.ended_at = Emergency.State.EXPIRED, timezone.now()
    emergency.save(update_fields=["state", "ended_at"])
    policy, change = emergency.policy, Change(actor, "policy_emergency.expire", reason=reason)
    kind = Activation.Kind.EXPIRE
    why = brought(change, policy, emergency.before, scopes_of(policy), kind)
    if why:
        emergency.state, emergency.note = Emergency.State.FAILED, why
        emergency.save(update_fields=["state", "note"])
        after = {"state": emergency.state, "note": why}
        note(change, emergency, before={"state": Emergency.State.RUNNING}, after=after)
    told = "policy_emergency_stays" if why else "policy_emergency_expired"
    _warn(told, policy, emergency.version, why=why)
    return not why


def _before(policy: Policy, text_hash: str) -> PolicyVersion:
    """Return what comes back when an emergency is over: never what another emergency brought."""
    if policy.active is None:
        raise ValidationError({"policy": "nothing is in force that could come back: publish it"})
    if policy.active.hash == text_hash:
        raise ValidationError({"source": f"version {policy.active.number} says this already"})
    unapproved = (Emergency.State.RUNNING, Emergency.State.FAILED)
    standing = (
        Emergency.objects.filter(policy=policy, version=policy.active, state__in=unapproved)
        .select_related("before")
        .order_by("-expires_at")
        .first()
    )
    before = policy.active if standing is None else standing.before
    if before.hash == text_hash:
        said = f"version {before.number} says this, and was in force before: roll back to it"
        raise ValidationError({"source": said})
    return before


def _warn(message: str, policy: Policy, version: PolicyVersion, **more: str) -> None:
    """Tell the operators, once it is so."""
    told = {"policy": policy.name, "version": version.number, **more}
    transaction.on_commit(partial(log.warning, message, extra=told))
