"""Reads of policies: which exist, which an actor may see, and which hold where."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.actor import Actor
from policies.models import Attachment, Backtest, Policy, PolicyVersion
from policies.pdp.decision import Layer
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import load_canonical
from tenants.models import App, Tenant
from tenants.permissions import tenants_where


@dataclass(frozen=True, slots=True)
class Attached:
    """The active versions that hold for one tenant, by name, and the names at each layer."""

    versions: Mapping[str, PolicyVersion]
    platform: tuple[str, ...]
    tenant: tuple[str, ...]
    apps: Mapping[UUID, tuple[str, ...]]


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
    found = (
        attachments()
        .filter(Q(tenant=None) | Q(tenant=tenant))
        .exclude(policy__active=None)
        .select_related("policy__active")
        .order_by("policy__name")
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
    return Attached(versions, tuple(platform), tuple(whole), by_app)


def effective(held: Attached, own: tuple[str, ...]) -> EffectivePolicy:
    """Return the policies of all layers, compiled; raise PolicyError where they clash.

    `own` are the names at the app's layer.
    """
    layers: tuple[tuple[Layer, tuple[str, ...]], ...] = (
        ("platform", held.platform),
        ("tenant", held.tenant),
        ("app", own),
    )
    return EffectivePolicy(
        [_layered(layer, held.versions[name]) for layer, names in layers for name in names]
    )


def effective_everywhere(tenant: Tenant) -> None:
    """Raise PolicyError unless every app of the tenant has an effective policy that compiles."""
    held = attached(tenant)
    apps = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
    for own in {held.apps.get(app_id, ()) for app_id in apps.values_list("id", flat=True)}:
        effective(held, own)


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


def backtests_visible(actor: Actor) -> QuerySet[Backtest]:
    """Return the back-tests of the tenants whose back-tests the actor may read, newest first."""
    found = Backtest.objects.select_related("tenant").order_by("-created_at")
    ids = tenants_where(actor, "backtest.read")
    return found if ids is None else found.filter(tenant_id__in=ids)
