"""Reads of policies: which exist, which an actor may see, and which hold where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.actor import Actor
from policies.models import Attachment, Backtest, Exemption, Policy, PolicyVersion, Rollout
from policies.pdp.decision import Layer
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.exemption import Exemption as Exempting
from policies.pdp.language import load_canonical
from tenants.models import App, Tenant
from tenants.permissions import tenants_where

PLATFORM = "platform"
"""How the whole installation is written where tenants are."""


@dataclass(frozen=True, slots=True)
class Attached:
    """The active versions that hold for one tenant, by name, and the names at each layer."""

    versions: Mapping[str, PolicyVersion]
    platform: tuple[str, ...]
    tenant: tuple[str, ...]
    apps: Mapping[UUID, tuple[str, ...]]
    rollouts: tuple[Rollout, ...] = ()

    @property
    def candidates(self) -> Mapping[str, PolicyVersion]:
        """The candidate versions that stand beside active ones, by the name of their policy."""
        return {rollout.policy.name: rollout.version for rollout in self.rollouts}


class TwoRolloutsError(ValueError):
    """Two candidates concern one app: nobody could say which of them makes a difference."""


def attachments() -> QuerySet[Attachment]:
    """Return where policies hold. What was attached to a removed tenant or app holds nowhere."""
    standing = Attachment.objects.exclude(tenant__state=Tenant.State.REMOVED)
    return standing.exclude(app__state=App.State.REMOVED)


def policies_visible(actor: Actor) -> QuerySet[Policy]:
    """Return the policies that the actor may read, by name.

    Those of the platform and those that hold nowhere are everybody's; the others are read by whom
    they hold for, because a text may tell of a tenant.
    """
    policies = Policy.objects.order_by("name")
    ids = tenants_where(actor, "policy.read")
    if ids is None:
        return policies
    if not ids:
        return policies.none()
    held = attachments().filter(policy=OuterRef("pk"))
    seen = Exists(held.filter(Q(tenant=None) | Q(tenant_id__in=ids)))
    return policies.filter(seen | ~Exists(held))


def versions_visible(actor: Actor, policy: Policy) -> QuerySet[PolicyVersion]:
    """Return a policy's versions, newest first; none where the policy is not to be seen."""
    versions = PolicyVersion.objects.filter(policy=policy).order_by("-number")
    return versions.filter(policy__in=policies_visible(actor))


def attached(tenant: Tenant) -> Attached:
    """Return what holds for a tenant and each of its apps. A policy without a version is absent."""
    return _attached(attachments().filter(Q(tenant=None) | Q(tenant=tenant)))


def attached_to_platform() -> Attached:
    """Return what holds for the platform."""
    return _attached(attachments().filter(tenant=None))


def _attached(held: QuerySet[Attachment]) -> Attached:
    found = (
        held.exclude(policy__active=None).select_related("policy__active").order_by("policy__name")
    )
    versions: dict[str, PolicyVersion] = {}
    platform, whole, apps = [], [], dict[UUID, list[str]]()
    for attachment in found:
        policy = attachment.policy
        if policy.active is not None:
            versions[policy.name] = policy.active
        if attachment.tenant_id is None:
            platform.append(policy.name)
        elif attachment.app_id is None:
            whole.append(policy.name)
        else:
            apps.setdefault(attachment.app_id, []).append(policy.name)
    by_app = {app_id: tuple(names) for app_id, names in apps.items()}
    running = Rollout.objects.filter(policy__name__in=versions, state=Rollout.State.RUNNING)
    rollouts = running.select_related("policy", "version").order_by("policy__name")
    return Attached(versions, tuple(platform), tuple(whole), by_app, tuple(rollouts))


def effective(
    held: Attached, own: tuple[str, ...], instead: Mapping[str, PolicyVersion] | None = None
) -> EffectivePolicy:
    """Return the policies of all layers, compiled; raise PolicyError where they clash.

    `own` are the names at the app's layer; `instead` are versions that take the active one's place.
    """
    versions = {**held.versions, **(instead or {})}
    layers: tuple[tuple[Layer, tuple[str, ...]], ...] = (
        ("platform", held.platform),
        ("tenant", held.tenant),
        ("app", own),
    )
    return EffectivePolicy(
        [_layered(layer, versions[name]) for layer, names in layers for name in names]
    )


def check_effective(held: Attached, own: tuple[str, ...]) -> None:
    """Raise PolicyError, or TwoRolloutsError, unless what holds for an app compiles, with the
    candidate too."""
    effective(held, own)
    named = {*held.platform, *held.tenant, *own}
    beside = {name: version for name, version in held.candidates.items() if name in named}
    if len(beside) > 1:
        raise TwoRolloutsError(
            f"the policies {' and '.join(sorted(beside))} hold for one app, and both have a"
            " candidate version: end one of the rollouts first"
        )
    if beside:
        effective(held, own, beside)


def effective_everywhere(tenant: Tenant) -> None:
    """Raise PolicyError unless every app of the tenant has an effective policy that compiles."""
    held = attached(tenant)
    apps = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
    for own in {held.apps.get(app_id, ()) for app_id in apps.values_list("id", flat=True)}:
        check_effective(held, own)


def _layered(layer: Layer, version: PolicyVersion) -> Layered:
    document = load_canonical(version.canonical.encode())
    return Layered(layer, document.name, version.number, document)


def attachments_visible(actor: Actor) -> QuerySet[Attachment]:
    """Return where policies hold, as far as the actor may read: the platform's are everybody's."""
    ids = tenants_where(actor, "policy.read")
    held = attachments().select_related("policy", "tenant", "app")
    if ids is None:
        return held
    if not ids:
        return held.none()
    return held.filter(Q(tenant=None) | Q(tenant_id__in=ids))


def exemptions_for(tenant: Tenant, held: Attached, now: datetime) -> list[Exempting]:
    """Return the exemptions that may hold for calls of a tenant from now on, the platform's too.

    What waits for a second person does not hold yet. What the platform's owner did not grant never
    touches a policy that holds for the platform,
    wherever that one was attached when the exemption was granted.
    """
    approved = Exemption.objects.filter(holds_since__isnull=False)
    rows = approved.filter(revoked_at=None, expires_at__gt=now)
    found = []
    for row in rows.filter(Q(tenant=None) | Q(tenant=tenant)).order_by("tenant_id", "name"):
        rules = frozenset(
            rule
            for rule in row.rules
            if row.by_platform or rule.partition("/")[0] not in held.platform
        )
        name = row.name if row.tenant_id else f"{PLATFORM}/{row.name}"
        apps, keys = frozenset(row.apps), frozenset(row.keys)
        if rules:
            found.append(Exempting(name, rules, int(row.expires_at.timestamp()), apps, keys))
    return found


def backtests_visible(actor: Actor) -> QuerySet[Backtest]:
    """Return the back-tests of the tenants whose back-tests the actor may read, newest first."""
    found = Backtest.objects.select_related("tenant").order_by("-created_at")
    ids = tenants_where(actor, "backtest.read")
    return found if ids is None else found.filter(tenant_id__in=ids)
