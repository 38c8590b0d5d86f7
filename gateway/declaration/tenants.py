"""Tenants in the file: `tenants`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from gateway.declaration import apps, budgets, guards, limits, policies, values
from gateway.declaration.apps import TIER_MAX, AppEntry, note_twice
from gateway.declaration.budgets import BudgetEntry
from gateway.declaration.faults import DeclarationError, Fault, fault
from gateway.declaration.guards import GuardEntry
from gateway.declaration.limits import LimitEntry
from gateway.declaration.session import Plain, Session, Values
from gateway.declaration.values import MOST, Named, Spot, distinct, named, one_of, origin, spot_of
from policies import own_detectors
from policies.detectors.custom import CustomDetector
from policies.detectors.packs import COUNTRIES
from policies.detectors.phones import SUPPORTED_REGIONS
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, Place
from policies.pdp.request import NAMED
from tenants.budgets import group_fault, without_ceiling
from tenants.models import Tenant
from tenants.selectors import budget_shapes
from tenants.services.tenants import (
    TenantFields,
    tenant_create,
    tenant_remove,
    tenant_update,
)
from tenants.zones import known_zones

KEYS = (
    "name",
    "timezone",
    "evidence",
    "tags",
    "pii",
    "detectors",
    "cors_origins",
    "default_model",
    "tier_models",
    "budgets",
    "limits",
    "guards",
    "policies",
    "apps",
)
PII_KEYS = ("countries", "phone_regions", "entities")
LATER_EVIDENCE = ("blocking", "batch")


@dataclass(frozen=True, slots=True)
class PiiEntry:
    """Which countries' personal data a tenant's detectors know, and which names are looked for."""

    countries: tuple[str, ...] = ()
    phone_regions: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """One tenant of the file."""

    name: Named
    timezone: str
    evidence: str
    tags: tuple[str, ...]
    pii: PiiEntry
    detectors: tuple[CustomDetector, ...]
    cors_origins: tuple[str, ...]
    default_model: Named | None
    tier_models: tuple[tuple[str, Named], ...]
    budgets: tuple[BudgetEntry, ...]
    limits: tuple[LimitEntry, ...]
    guards: tuple[GuardEntry, ...]
    policies: tuple[Named, ...]
    apps: tuple[AppEntry, ...]
    spot: Spot

    def values(self) -> Values:
        """Return what the file says, as a stored tenant would be written, without what it owns."""
        return {
            "timezone": self.timezone,
            "evidence": self.evidence,
            "tags": list(self.tags),
            "pii": {
                "countries": list(self.pii.countries),
                "phone_regions": list(self.pii.phone_regions),
                "entities": list(self.pii.entities),
            },
            "detectors": list[Plain](own_detectors.written(self.detectors)),
            "cors_origins": list(self.cors_origins),
            "default_model": self.default_model.text if self.default_model else None,
            "tier_models": {tier: model.text for tier, model in self.tier_models},
        }

    def default_models(self) -> tuple[Named, ...]:
        """Return the models that are asked for where a call names none."""
        every = () if self.default_model is None else (self.default_model,)
        return (*every, *(model for _, model in self.tier_models))

    def fields(self) -> TenantFields:
        """Return the same as the services take it."""
        return {
            "timezone": self.timezone,
            "evidence": self.evidence,
            "tags": self.tags,
            "pii_countries": self.pii.countries,
            "pii_phone_regions": self.pii.phone_regions,
            "pii_entities": self.pii.entities,
            "detectors": own_detectors.written(self.detectors),
            "cors_origins": self.cors_origins,
            "default_model": self.default_model.text if self.default_model else "",
            "tier_models": {tier: model.text for tier, model in self.tier_models},
        }


def reader(environ: Mapping[str, str]) -> Read[TenantEntry]:
    """Return the reader of one tenant; the secrets of its guards are looked up in `environ`."""
    return lambda node: _read(node, guards.reader(environ))


def _read(node: Node, read_guard: Read[GuardEntry]) -> TenantEntry:
    keys = Fields(node, "a tenant", KEYS)
    zone = one_of(known_zones(), "an IANA time zone, such as Europe/Berlin")
    evidence = fields.choice([Tenant.Evidence.STRICT.value], LATER_EVIDENCE)
    entry = TenantEntry(
        name=keys.required("name", values.named(values.name), Named("", keys.at)),
        timezone=keys.optional("timezone", zone, "UTC"),
        evidence=keys.optional("evidence", evidence, Tenant.Evidence.STRICT.value),
        tags=keys.optional("tags", distinct(values.name), ()),
        pii=keys.optional("pii", _read_pii, PiiEntry()),
        detectors=keys.optional("detectors", own_detectors.read, ()),
        cors_origins=keys.optional("cors_origins", distinct(origin), ()),
        default_model=keys.optional("default_model", named(values.model_name), None),
        tier_models=keys.optional("tier_models", _read_tiers, ()),
        budgets=keys.optional("budgets", fields.listing(budgets.read, MOST), ()),
        limits=keys.optional("limits", fields.listing(limits.read, MOST), ()),
        guards=keys.optional("guards", fields.listing(read_guard, MOST), ()),
        policies=keys.optional("policies", policies.read_names, ()),
        apps=keys.optional("apps", fields.listing(apps.read, MOST), ()),
        spot=spot_of(keys, KEYS),
    )
    note_twice(keys, [one.name for one in entry.budgets], "budget")
    note_twice(keys, [one.name for one in entry.limits], "limit")
    note_twice(keys, [one.name for one in entry.guards], "guard")
    note_twice(keys, [one.name for one in entry.apps], "app")
    _note_groups(keys, entry)
    keys.finish()
    return entry


def apply(session: Session, entry: TenantEntry) -> Tenant:
    """Create or change a tenant, and all that it owns, as the file says."""
    row = stored().filter(name=entry.name.text).first()
    before = {} if row is None else _describe(row)
    with session.at(entry.spot):
        if row is None:
            row = tenant_create(actor=session.actor, name=entry.name.text, **entry.fields())
        else:
            tenant_update(actor=session.actor, tenant=row, **entry.fields())
    held, holding = policies.attach(session, entry.policies, row, None)
    after = {**entry.values(), **holding}
    session.put("tenant", row.name, {**before, **held} if before else {}, after)
    budgets.apply(session, row, None, entry.budgets)
    limits.apply(session, row, None, entry.limits)
    guards.apply(session, row, entry.guards)
    if session.prune:
        apps.prune(session, row, {app.name.text for app in entry.apps})
    for app in entry.apps:
        apps.apply(session, row, app)
    _check_ceilings(session, row, entry)
    return row


def prune(session: Session, kept: Collection[str]) -> None:
    """Remove the tenants that the file does not name."""
    for row in stored().exclude(name__in=kept):
        before = _describe(row)
        tenant_remove(actor=session.actor, tenant=row)
        session.removed("tenant", row.name, before)


def export() -> list[Values]:
    """Return every tenant in the file's form."""
    exported: list[Values] = []
    for row in stored():
        said: Values = {"name": row.name, **_describe(row)}
        for key in ("default_model", "tier_models", "detectors"):
            if not said[key]:
                del said[key]
        said["budgets"] = list(budgets.export(row, None))
        said["limits"] = list(limits.export(row, None))
        if owned := guards.export(row):
            said["guards"] = list(owned)
        said["policies"] = list(policies.names_of(row, None))
        said["apps"] = list(apps.export(row))
        exported.append(said)
    return exported


def stored() -> QuerySet[Tenant]:
    """Return the tenants that the file may speak of, by name."""
    return Tenant.objects.exclude(state=Tenant.State.REMOVED).order_by("name")


def _read_pii(node: Node) -> PiiEntry:
    keys = Fields(node, "pii", PII_KEYS)
    country = one_of(COUNTRIES, f"a country with detectors of its own: {', '.join(COUNTRIES)}")
    region = one_of(SUPPORTED_REGIONS, "a region with telephone numbers, such as US")
    kind = one_of(NAMED, f"a kind of names: {', '.join(sorted(NAMED))}")
    entry = PiiEntry(
        countries=keys.optional("countries", distinct(country), ()),
        phone_regions=keys.optional("phone_regions", distinct(region), ()),
        entities=keys.optional("entities", distinct(kind), ()),
    )
    keys.finish()
    return entry


def _read_tiers(node: Node) -> tuple[tuple[str, Named], ...]:
    read_model = named(values.model_name)
    return tuple(
        (fields.text(TIER_MAX)(tier).text, read_model(model))
        for tier, model in fields.pairs(node, "tier_models")
    )


def _note_groups(keys: Fields, entry: TenantEntry) -> None:
    """Note each group that no budget of this tenant can have: tags must be declared."""
    owned = [*entry.budgets, *(budget for app in entry.apps for budget in app.budgets)]
    for budget in owned:
        for group in budget.group_by:
            said = group_fault(group, entry.tags)
            if said:
                keys.note(budget.spot.of("group_by"), said)


def _describe(row: Tenant) -> Values:
    return {
        "timezone": row.timezone,
        "evidence": row.evidence,
        "tags": list(row.tags),
        "pii": {
            "countries": list(row.pii_countries),
            "phone_regions": list(row.pii_phone_regions),
            "entities": list(row.pii_entities),
        },
        "detectors": list[Plain](own_detectors.ordered(row.detectors)),
        "cors_origins": list(row.cors_origins),
        "default_model": row.default_model or None,
        "tier_models": dict(row.tier_models),
    }


def _check_ceilings(session: Session, row: Tenant, entry: TenantEntry) -> None:
    """Refuse a hard budget that clients could multiply, at its place (hard case 9)."""
    places: dict[str, Place] = {}
    for budget in (*entry.budgets, *(one for app in entry.apps for one in app.budgets)):
        places.setdefault(budget.name.text, budget.spot.of("group_by"))
    faults: list[Fault] = [
        fault(
            session.file,
            places.get(shape.name, entry.spot.at),
            f"the hard budget {shape.name} is grouped by what a client declares",
            f"put an ungrouped hard budget in {shape.currency} above it",
        )
        for shape in without_ceiling(budget_shapes(row))
    ]
    if faults:
        raise DeclarationError(faults)
