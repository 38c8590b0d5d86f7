"""Writes to reviews: one text, to the letter, before a person who had no hand in it."""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from audit.actor import Actor
from audit.services import Change, alter, delete, insert
from policies.clearance import sha256_of
from policies.identity import identity, joined
from policies.models import Draft, Emergency, Review, ReviewRule
from policies.scopes import require_over
from policies.services.drafts import as_read
from policies.versions import checked
from policies.vocabulary import names_for
from tenants.changes import change_alone, platform_change, tenant_change
from tenants.models import Tenant


@transaction.atomic
def review_request(*, actor: Actor, draft: Draft, reason: str = "") -> Review:
    """Lay a draft's text, sound and with tests that pass, before a second person."""
    change_alone()
    draft = as_read(draft)
    policy = draft.policy
    require_over(actor, "review.request", policy)
    checked(policy, draft.source, names_for(actor))
    review = Review(
        policy=policy,
        base=draft.base,
        source=draft.source,
        text_sha256=sha256_of(draft.source),
        author=draft.author,
        authors=joined(draft.authors, actor),
        request=reason,
    )
    asked = Review.objects.filter(policy=policy, text_sha256=review.text_sha256)
    if asked.filter(state=Review.State.OPEN, afterwards=False).exists():
        raise ValidationError({"draft": "this very text is under review already"})
    insert(Change(actor, "review.request", reason=reason), review)
    return review


@transaction.atomic
def review_withdraw(*, actor: Actor, review: Review, reason: str = "") -> bool:
    """Take a request back that nobody has decided; False where it was void already."""
    review = _held(review)
    require_over(actor, "review.withdraw", review.policy)
    if review.afterwards:
        raise ValidationError({"review": "what came into force in an emergency has to be reviewed"})
    if review.state == Review.State.VOID:
        return False
    if review.state != Review.State.OPEN:
        raise ValidationError({"review": f"it is {review.state} already"})
    change = Change(actor, "review.withdraw", reason=reason)
    return alter(change, review, {"state": Review.State.VOID})


@transaction.atomic
def review_approve(*, actor: Actor, review: Review, reason: str = "") -> Review:
    """Approve a text to the letter. It takes a person, and one who had no hand in it."""
    return _decide(actor, "review.approve", review, Review.State.APPROVED, reason)


@transaction.atomic
def review_reject(*, actor: Actor, review: Review, reason: str) -> Review:
    """Say no to a text, and why."""
    if not reason.strip():
        raise ValidationError({"reason": "say what has to be different"})
    return _decide(actor, "review.reject", review, Review.State.REJECTED, reason)


@transaction.atomic
def review_rule_set(*, actor: Actor, tenant: Tenant | None, reason: str = "") -> ReviewRule:
    """Let texts take a second person before they are in force in a tenant; None: anywhere."""
    change = _change(actor, "review_rule.set", tenant, reason)
    rule = ReviewRule(tenant=tenant, author=actor.name)
    insert(change, rule)
    return rule


@transaction.atomic
def review_rule_unset(*, actor: Actor, rule: ReviewRule, reason: str = "") -> None:
    """Let texts be in force again by one person's word."""
    delete(_change(actor, "review_rule.unset", rule.tenant, reason), rule)


def _decide(actor: Actor, action: str, review: Review, state: Review.State, reason: str) -> Review:
    review = _held(review)
    require_over(actor, action, review.policy)
    _check_another(actor, review)
    if review.state != Review.State.OPEN:
        raise ValidationError({"review": f"it is {review.state} already"})
    values = {
        "state": state,
        "approver": actor.name,
        "approver_identity": identity(actor),
        "comment": reason,
        "decided_at": timezone.now(),
    }
    alter(Change(actor, action, reason=reason), review, values)
    if state == Review.State.APPROVED:  # what came by an emergency stays
        Emergency.objects.filter(review=review, state=Emergency.State.RUNNING).update(
            state=Emergency.State.APPROVED, ended_at=timezone.now()
        )
    return review


def _check_another(actor: Actor, review: Review) -> None:
    """An application's word is its maker's, whoever that speaks for: it decides nothing here."""
    if actor.kind == "application":
        raise PermissionDenied("a text is approved or rejected by a person, not by an application")
    if identity(actor) in review.authors:
        raise PermissionDenied("whoever had a hand in a text does not decide on it")


def _held(review: Review) -> Review:
    change_alone()
    return Review.objects.select_related("policy").get(pk=review.pk)


def _change(actor: Actor, action: str, tenant: Tenant | None, reason: str) -> Change:
    if tenant is None:
        return platform_change(actor, action, reason)
    return tenant_change(actor, action, tenant, reason)
