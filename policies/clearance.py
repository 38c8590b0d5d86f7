"""Whether a version may come into force somewhere without another person's word.

Where a review is wanted, a version is cleared by an approval of its very text whose approver is
still one, or because it was in force there before, by another way than an emergency. What whoever
operates the machine declares in files is reviewed where those files are.
"""

import hashlib
from collections.abc import Callable, Iterable

from django.core.exceptions import ValidationError
from django.db.models import Q

from audit.actor import Actor
from policies.identity import APPLICATION, PERSON
from policies.models import Activation, Attachment, Policy, PolicyVersion, Review, ReviewRule
from policies.scopes import written
from tenants.models import Tenant, User
from tenants.permissions import can
from tenants.selectors import actor_of

APPROVE = "review.approve"
DETACH = "policy.detach"
OPERATORS = ("command:", "task:")
"""Whoever operates the machine."""


_found: dict[str, Callable[[str], Actor | None]] = {}


def provide_applications(find: Callable[[str], Actor | None]) -> None:
    """Take how to find an application that acts as itself: it belongs to a room above."""
    _found[APPLICATION] = find


def acting(identity: str) -> Actor | None:
    """Return whoever has this identity, with what they may do now; None: nothing, or unknown."""
    if identity.startswith(APPLICATION):
        return _found[APPLICATION](identity.removeprefix(APPLICATION))
    person = User.objects.filter(pk=identity.removeprefix(PERSON), is_active=True).first()
    return None if person is None else actor_of(person)


def sha256_of(source: str) -> str:
    """Return the digest that a review is bound to: of the text as it is, to the letter."""
    return hashlib.sha256(source.encode()).hexdigest()


def wanting_review(scopes: Iterable[Tenant | None]) -> list[Tenant | None]:
    """Return those of the scopes in which a text takes a second person."""
    found = list(scopes)
    if ReviewRule.objects.filter(tenant=None).exists():
        return found
    ruled = set(ReviewRule.objects.exclude(tenant=None).values_list("tenant_id", flat=True))
    return [tenant for tenant in found if tenant is not None and tenant.id in ruled]


def check_cleared(
    actor: Actor, policy: Policy, version: PolicyVersion, scopes: Iterable[Tenant | None]
) -> None:
    """Raise ValidationError unless the actor may put the version in force in these scopes."""
    if actor.is_operator:
        return
    why = lacking(policy, version, scopes)
    if why:
        raise ValidationError({"review": why})


def lacking(policy: Policy, version: PolicyVersion, scopes: Iterable[Tenant | None]) -> str:
    """Return what a version lacks to come into force in these scopes; empty: nothing."""
    wanting = wanting_review(scopes)
    if not wanting or _was_in_force(version, wanting):
        return ""
    approvals = list(_approvals(policy, version))
    if any(stands(approval, wanting) for approval in approvals):
        return ""
    if approvals:
        return "its approval stands no more: the approver may not approve here any longer"
    return (
        f"a second person has to approve version {version.number} first: ask for a review of its"
        " very text"
    )


def stands(approval: Review, scopes: Iterable[Tenant | None]) -> bool:
    """Say whether whoever approved is still somebody who may, in all of these scopes."""
    if approval.approver_identity.startswith(OPERATORS):
        return True
    person = acting(approval.approver_identity)
    return person is not None and all(can(person, APPROVE, one) for one in scopes)


def detachment_asked(attachment: Attachment) -> bool:
    """Say whether the end of a hold is asked for, and the question still stands.

    It does while what it let go of is what holds, and the people who asked may still ask.
    """
    asked_at, policy_id = attachment.detach_asked_at, attachment.policy_id
    if asked_at is None:
        return False
    since = Activation.objects.filter(policy=policy_id, created_at__gt=asked_at)
    if since.exclude(kind=Activation.Kind.ATTACH).exists():
        return False
    people = [acting(one) for one in attachment.detach_authors if one.startswith(PERSON)]
    return all(one is not None and can(one, DETACH, attachment.tenant) for one in people)


def _approvals(policy: Policy, version: PolicyVersion) -> Iterable[Review]:
    approved = Review.objects.filter(policy=policy, state=Review.State.APPROVED)
    return approved.filter(Q(version=version) | Q(text_sha256=sha256_of(version.source)))


def _was_in_force(version: PolicyVersion, wanting: list[Tenant | None]) -> bool:
    unreviewed = (Activation.Kind.EMERGENCY, Activation.Kind.EXPIRE)
    before = Activation.objects.filter(version=version).exclude(kind__in=unreviewed)
    seen = {scope for scopes in before.values_list("scopes", flat=True) for scope in scopes}
    return seen.issuperset(written(wanting))
