"""Reads of the life cycle for an actor: who may read a policy may read what becomes of it."""

import datetime
from typing import TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.actor import Actor
from policies.models import (
    Activation,
    Attachment,
    Draft,
    Emergency,
    Exemption,
    Policy,
    Review,
    ReviewRule,
    Rollout,
    Schedule,
)
from policies.selectors import attachments_visible, policies_visible
from tenants.models import Tenant
from tenants.permissions import tenants_where

READ = "policy.read"
Row = TypeVar("Row", Exemption, ReviewRule)


def drafts_visible(actor: Actor) -> QuerySet[Draft]:
    """Return the drafts of policies that the actor may read."""
    drafts = Draft.objects.filter(policy__in=policies_visible(actor))
    return drafts.select_related("policy__active", "base")


def reviews_visible(actor: Actor) -> QuerySet[Review]:
    """Return the reviews of texts of policies that the actor may read."""
    reviews = Review.objects.filter(policy__in=policies_visible(actor))
    return reviews.select_related("policy__active", "base", "version", "emergency__before")


def emergencies_visible(actor: Actor) -> QuerySet[Emergency]:
    """Return the emergencies that are running, the one that ends first before the others."""
    running = Emergency.objects.filter(
        policy__in=policies_visible(actor), state=Emergency.State.RUNNING
    )
    return running.select_related("policy", "version").order_by("expires_at", "id")


def with_question(attachments: QuerySet[Attachment]) -> QuerySet[Attachment]:
    """Return attachments, each with `is_asked`: whether its end waits for a second person."""
    return attachments.annotate(is_asked=_is_asked())


def detachments_asked(actor: Actor) -> QuerySet[Attachment]:
    """Return where policies hold whose end waits for a second person, the oldest question first."""
    return attachments_visible(actor).filter(_is_asked()).order_by("detach_asked_at", "id")


def _is_asked() -> Q:
    """Not where no second person is wanted any more, or another version came into force since."""
    since = Activation.objects.filter(
        policy=OuterRef("policy"), created_at__gt=OuterRef("detach_asked_at")
    )
    wanted = ReviewRule.objects.filter(Q(tenant=None) | Q(tenant=OuterRef("tenant")))
    return (
        Q(detach_asked_at__isnull=False)
        & ~Exists(since.exclude(kind=Activation.Kind.ATTACH))
        & Exists(wanted)
    )


def exemptions_asked(actor: Actor, now: datetime.datetime) -> QuerySet[Exemption]:
    """Return the exemptions that wait for a second person, the oldest first."""
    asked = exemptions_visible(actor).filter(holds_since=None, revoked_at=None, expires_at__gt=now)
    asked = asked.exclude(tenant__state=Tenant.State.REMOVED)
    return asked.order_by("created_at", "id")


def schedules_visible(actor: Actor) -> QuerySet[Schedule]:
    """Return what comes, or was to come, into force at an instant."""
    schedules = Schedule.objects.filter(policy__in=policies_visible(actor))
    return schedules.select_related("policy", "version")


def rollouts_visible(actor: Actor) -> QuerySet[Rollout]:
    """Return the rollouts of policies that the actor may read."""
    rollouts = Rollout.objects.filter(policy__in=policies_visible(actor))
    return rollouts.select_related("policy__active", "version")


def activations_of(actor: Actor, policy: Policy) -> QuerySet[Activation]:
    """Return what of a policy came into force when, newest first; none where it is not seen."""
    activations = Activation.objects.filter(policy=policy, policy__in=policies_visible(actor))
    return activations.select_related("version").order_by("-id")


def exemptions_visible(actor: Actor) -> QuerySet[Exemption]:
    """Return the exemptions in tenants whose policies the actor may read, and the platform's."""
    return _within(actor, Exemption.objects.select_related("tenant"))


def review_rules_visible(actor: Actor) -> QuerySet[ReviewRule]:
    """Return where reviews are wanted, as far as the actor may read; the platform's is told all."""
    return _within(actor, ReviewRule.objects.select_related("tenant"))


def _within(actor: Actor, rows: QuerySet[Row]) -> QuerySet[Row]:
    ids = tenants_where(actor, READ)
    if ids is None:
        return rows
    return rows.filter(Q(tenant=None) | Q(tenant_id__in=ids)) if ids else rows.none()
