"""Apps in the file: `apps` of a tenant."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from gateway.declaration import budgets, limits, policies, values
from gateway.declaration.budgets import BudgetEntry
from gateway.declaration.limits import LimitEntry
from gateway.declaration.session import Plain, Session, Values
from gateway.declaration.values import MOST, Named, Spot, distinct, named, spot_of
from gateway.transformation.document import Transformation
from gateway.transformation.reading import NOTHING, reader
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from tenants.models import App, Tenant
from tenants.services.apps import AppFields, app_create, app_remove, app_update

KEYS = (
    "name",
    "models",
    "services",
    "tier",
    "cache",
    "transformation",
    "policies",
    "budgets",
    "limits",
)
TIER_MAX = 63


@dataclass(frozen=True, slots=True)
class AppEntry:
    """One app of the file."""

    name: Named
    models: tuple[Named, ...]
    services: tuple[Named, ...]
    tier: str
    transformation: Transformation
    policies: tuple[Named, ...]
    budgets: tuple[BudgetEntry, ...]
    limits: tuple[LimitEntry, ...]
    spot: Spot
    cache: bool = False

    def values(self) -> Values:
        """Return what the file says, as a stored app would be written, without what it owns."""
        models: list[Plain] = [model.text for model in self.models]
        services: list[Plain] = [service.text for service in self.services]
        return {
            "models": models,
            "services": services,
            "tier": self.tier or None,
            "cache": self.cache,
            "transformation": list(self.transformation.plain),
        }


def read(node: Node) -> AppEntry:
    """Read one app."""
    keys = Fields(node, "an app", KEYS)
    entry = AppEntry(
        name=keys.required("name", named(values.name), Named("", keys.at)),
        models=keys.optional("models", distinct(named(values.model_name)), ()),
        services=keys.optional("services", distinct(named(values.name)), ()),
        tier=keys.optional("tier", values.optional_text(TIER_MAX), ""),
        transformation=keys.optional("transformation", reader(of_route=False), NOTHING),
        policies=keys.optional("policies", policies.read_names, ()),
        budgets=keys.optional("budgets", fields.listing(budgets.read, MOST), ()),
        limits=keys.optional("limits", fields.listing(limits.read, MOST), ()),
        spot=spot_of(keys, KEYS),
        cache=keys.optional("cache", fields.flag, default=False),
    )
    note_twice(keys, [one.name for one in entry.budgets], "budget")
    note_twice(keys, [one.name for one in entry.limits], "limit")
    keys.finish()
    return entry


def apply(session: Session, tenant: Tenant, entry: AppEntry) -> None:
    """Create or change an app, and what it owns, as the file says."""
    row = _stored(tenant).filter(name=entry.name.text).first()
    before = {} if row is None else _describe(row)
    wanted: AppFields = {
        "models": [model.text for model in entry.models],
        "services": [service.text for service in entry.services],
        "tier": entry.tier,
        "cache": entry.cache,
        "transformation": list(entry.transformation.plain),
    }
    with session.at(entry.spot):
        if row is None:
            name = entry.name.text
            row = app_create(actor=session.actor, tenant=tenant, name=name, **wanted)
        else:
            app_update(actor=session.actor, app=row, **wanted)
    held, holding = policies.attach(session, entry.policies, tenant, row)
    label = f"{tenant.name}/{row.name}"
    after = {**entry.values(), **holding}
    session.put("app", label, {**before, **held} if before else {}, after)
    budgets.apply(session, tenant, row, entry.budgets)
    limits.apply(session, tenant, row, entry.limits)


def prune(session: Session, tenant: Tenant, kept: Collection[str]) -> None:
    """Remove the tenant's apps that the file does not name."""
    for row in _stored(tenant).exclude(name__in=kept):
        before = _describe(row)
        app_remove(actor=session.actor, app=row)
        session.removed("app", f"{tenant.name}/{row.name}", before)


def export(tenant: Tenant) -> list[Values]:
    """Return a tenant's apps in the file's form."""
    exported: list[Values] = []
    for row in _stored(tenant):
        said: Values = {"name": row.name, **_describe(row)}
        if not row.transformation:
            del said["transformation"]
        said["policies"] = list(policies.names_of(tenant, row))
        said["budgets"] = list(budgets.export(tenant, row))
        said["limits"] = list(limits.export(tenant, row))
        exported.append(said)
    return exported


def note_twice(keys: Fields, names: Sequence[Named], what: str) -> None:
    """Note each name that stands a second time among its equals."""
    seen: set[str] = set()
    for name in names:
        if name.text in seen:
            keys.note(name.at, f'the {what} "{name.text}" stands twice')
        seen.add(name.text)


def _stored(tenant: Tenant) -> QuerySet[App]:
    rows = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
    return rows.select_related("tenant").order_by("name")


def _describe(row: App) -> Values:
    return {
        "models": list(row.models),
        "services": list(row.services),
        "tier": row.tier or None,
        "cache": row.cache,
        "transformation": list(row.transformation),
    }
