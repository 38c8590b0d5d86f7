"""Every write to policies. A version is frozen for ever; what changes is which one is active."""

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import Change, alter, insert
from policies.clearance import check_cleared
from policies.inforce import (
    bring,
    cancel_schedules,
    check_base,
    end_emergency,
    reviewed,
    settle,
    void,
)
from policies.models import Activation, Draft, Policy, PolicyVersion
from policies.scopes import scopes_of
from policies.selectors import attachments
from policies.services.drafts import as_read
from policies.versions import checked, frozen
from policies.vocabulary import names_for
from tenants.changes import change_alone, platform_change
from tenants.permissions import require


@transaction.atomic
def policy_create(*, actor: Actor, name: str, reason: str = "") -> Policy:
    """Create a policy without a text: one is published, and attached, before it holds."""
    require(actor, "policy.create", None)
    policy = Policy(name=name)
    insert(Change(actor, "policy.create", reason=reason), policy)
    return policy


@transaction.atomic
def policy_publish(
    *,
    actor: Actor,
    policy: Policy,
    source: str,
    reason: str = "",
    fits_later: bool = False,
    draft: Draft | None = None,
) -> PolicyVersion:
    """Freeze a text as a version and make it the active one, wherever the policy is attached.

    Raises PolicyError where the text is wrong, one of its own tests fails, or it clashes with what
    it meets there (`fits_later`: the caller changes more, then compiles), ValidationError where a
    second person has to approve it first. A text that says the same as an earlier version makes
    that version active again, under its old number. `draft` is what the text comes from: it ends.
    """
    change_alone()
    policy = Policy.objects.get(pk=policy.pk)
    scopes = scopes_of(policy)
    for tenant in scopes or [None]:
        require(actor, "policy.publish" if scopes else "policy.create", tenant)
    document = checked(policy, source, None if fits_later else names_for(actor))
    active = policy.active
    if active is not None and active.hash == document.hash:
        if draft is not None:
            raise ValidationError({"source": f"version {active.number} says this already"})
        return active
    if draft is not None:
        check_base(as_read(draft), policy)
    version = frozen(policy, document, source, actor.name if draft is None else draft.author)
    reviewed(policy, version, source)
    check_cleared(actor, policy, version, scopes)
    settle(draft)
    void(policy)
    change = Change(actor, "policy.publish", reason=reason)
    bring(change, policy, version, scopes, Activation.Kind.PUBLISH, fits_later=fits_later)
    return version


@transaction.atomic
def policy_retire(*, actor: Actor, policy: Policy, reason: str = "") -> bool:
    """Take a policy that is attached nowhere out of use; its versions stay as evidence."""
    change = platform_change(actor, "policy.retire", reason)
    policy = Policy.objects.get(pk=policy.pk)
    if attachments().filter(policy=policy).exists():
        raise ValidationError({"policy": f"{policy.name} is still attached"})
    cancel_schedules(policy)
    end_emergency(policy)
    return alter(change, policy, {"active": None})
