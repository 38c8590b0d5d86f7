"""Models in the file: `models`, each a route with its deployments."""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.declaration import plans, prices, values
from gateway.declaration.plans import PlanEntry
from gateway.declaration.prices import PriceEntry
from gateway.declaration.session import Session, Values
from gateway.declaration.values import MOST, Named, Spot, spot_of
from gateway.models import Deployment, Provider, Route
from gateway.services.routes import (
    DeploymentFields,
    RouteFields,
    deployment_create,
    deployment_remove,
    deployment_update,
    route_create,
    route_remove,
    route_update,
)
from gateway.transformation.document import Transformation
from gateway.transformation.reading import NOTHING, reader
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node

CAP_KEYS = ("max_output_tokens", "default_max_output_tokens")
KEYS = ("name", "deployments", "price", *CAP_KEYS, *plans.KEYS, "transformation")
DEPLOYMENT_KEYS = (
    "provider",
    "model",
    "weight",
    "priority",
    "region",
    "price",
    *plans.TIMEOUT_KEYS,
)
TOKENS_MAX = 2_000_000
SMALL_MAX = 32_767
DEFAULT_MAX, DEFAULT_DEFAULT = 16_384, 2048


@dataclass(frozen=True, slots=True)
class DeploymentEntry:
    """One deployment of a model of the file."""

    provider: Named
    model: str
    weight: int
    priority: int
    region: str
    price: PriceEntry | None
    timeouts: DeploymentFields
    spot: Spot

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells the deployments of one model apart."""
        return (self.provider.text, self.model, self.region)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One public model name of the file."""

    name: Named
    deployments: tuple[DeploymentEntry, ...]
    price: PriceEntry | None
    max_output_tokens: int
    default_max_output_tokens: int
    plan: PlanEntry
    transformation: Transformation
    spot: Spot


def read(node: Node) -> ModelEntry:
    """Read one model."""
    keys = Fields(node, "a model", KEYS)
    tokens = fields.whole(1, TOKENS_MAX)
    largest = keys.optional("max_output_tokens", tokens, DEFAULT_MAX)
    default = keys.optional("default_max_output_tokens", tokens, min(DEFAULT_DEFAULT, largest))
    if default > largest:
        message = f"the default cap {default} is above max_output_tokens {largest}"
        keys.note(keys.value_at("default_max_output_tokens"), message)
    entry = ModelEntry(
        name=keys.required("name", values.named(values.model_name), Named("", keys.at)),
        deployments=keys.optional("deployments", fields.listing(_read_deployment, MOST), ()),
        price=keys.optional("price", prices.read, None),
        max_output_tokens=largest,
        default_max_output_tokens=default,
        plan=plans.read(keys),
        transformation=keys.optional("transformation", reader(of_route=True), NOTHING),
        spot=spot_of(keys, KEYS),
    )
    _note_twice(keys, entry.deployments)
    keys.finish()
    return entry


def apply_all(session: Session, entries: Collection[ModelEntry]) -> None:
    """Create or change the models; what they fall back to is set once all of them are there."""
    for entry in entries:
        apply(session, entry)
    for entry in entries:
        plans.apply_fallbacks(session, entry.name.text, entry.plan, entry.spot)


def apply(session: Session, entry: ModelEntry) -> None:
    """Create or change a route and its deployments as the file says."""
    name = entry.name.text
    row = Route.objects.filter(name=name).first()
    before = {} if row is None else describe(row)
    after: Values = {
        "max_output_tokens": entry.max_output_tokens,
        "default_max_output_tokens": entry.default_max_output_tokens,
        "price": prices.wanted_values(row, entry.price),
        **entry.plan.values(),
        "transformation": list(entry.transformation.plain),
    }
    wanted: RouteFields = {
        "max_output_tokens": entry.max_output_tokens,
        "default_max_output_tokens": entry.default_max_output_tokens,
        **entry.plan.fields(),
        "transformation": list(entry.transformation.plain),
    }
    with session.at(entry.spot):
        if row is None:
            row = route_create(actor=session.actor, name=name, **wanted)
        else:
            route_update(actor=session.actor, route=row, **wanted)
    prices.apply(session, row, entry.price)
    session.put("model", name, before, after)
    if session.prune:
        _prune_deployments(session, row, {one.identity for one in entry.deployments})
    for deployment in entry.deployments:
        _apply_deployment(session, row, deployment)


def prune(session: Session, kept: Collection[str]) -> None:
    """Remove the models that the file does not name."""
    gone = list(Route.objects.exclude(name__in=kept).order_by("name"))
    for row in gone:
        route_update(actor=session.actor, route=row, fallbacks=[])
    for row in gone:
        before = describe(row)
        with session.at(Spot((1, 1))):
            route_remove(actor=session.actor, route=row)
        session.removed("model", row.name, before)


def describe(row: Route) -> Values:
    """Return a stored route as the file would say it, without its deployments."""
    return {
        "max_output_tokens": row.max_output_tokens,
        "default_max_output_tokens": row.default_max_output_tokens,
        "price": prices.describe(row),
        **plans.describe(row),
        "transformation": list(row.transformation),
    }


def export() -> list[Values]:
    """Return every route in the file's form."""
    exported: list[Values] = []
    for row in Route.objects.order_by("name"):
        said: Values = {"name": row.name}
        said["deployments"] = [_exported(deployment) for deployment in _stored(row)]
        said |= {key: getattr(row, key) for key in CAP_KEYS}
        price = prices.describe(row)
        said |= {} if price is None else {"price": price}
        said |= plans.exported(row)
        said |= {"transformation": list(row.transformation)} if row.transformation else {}
        exported.append(said)
    return exported


def _read_deployment(node: Node) -> DeploymentEntry:
    keys = Fields(node, "a deployment", DEPLOYMENT_KEYS)
    small = fields.whole(0, SMALL_MAX)
    entry = DeploymentEntry(
        provider=keys.required("provider", values.named(values.name), Named("", keys.at)),
        model=keys.required("model", lambda node: fields.text(200)(node).text, ""),
        weight=keys.optional("weight", small, 1),
        priority=keys.optional("priority", small, 0),
        region=keys.optional("region", values.optional_text(63), ""),
        price=keys.optional("price", prices.read, None),
        timeouts=plans.read_timeouts(keys),
        spot=spot_of(keys, DEPLOYMENT_KEYS),
    )
    keys.finish()
    return entry


def _note_twice(keys: Fields, deployments: Collection[DeploymentEntry]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for one in deployments:
        if one.identity in seen:
            hint = "give equal deployments another region, or one of them more weight"
            keys.note(one.spot.at, "this deployment stands twice", hint)
        seen.add(one.identity)


def _apply_deployment(session: Session, route: Route, entry: DeploymentEntry) -> None:
    provider = Provider.objects.get(name=entry.provider.text)
    row = Deployment.objects.filter(
        route=route, provider=provider, model=entry.model, region=entry.region
    ).first()
    before = {} if row is None else _described(row)
    after: Values = {
        "weight": entry.weight,
        "priority": entry.priority,
        "price": prices.wanted_values(row, entry.price),
        **plans.plain(entry.timeouts),
    }
    ranked: DeploymentFields = {
        "weight": entry.weight,
        "priority": entry.priority,
        **entry.timeouts,
    }
    with session.at(entry.spot):
        if row is None:
            row = deployment_create(
                actor=session.actor,
                route=route,
                provider=provider,
                model=entry.model,
                region=entry.region,
                **ranked,
            )
        else:
            deployment_update(actor=session.actor, deployment=row, **ranked)
    prices.apply(session, row, entry.price)
    session.put("deployment", _label(row), before, after)


def _prune_deployments(
    session: Session, route: Route, kept: Collection[tuple[str, str, str]]
) -> None:
    for row in _stored(route):
        if (row.provider.name, row.model, row.region) not in kept:
            label, before = _label(row), _described(row)
            deployment_remove(actor=session.actor, deployment=row)
            session.removed("deployment", label, before)


def _stored(route: Route) -> list[Deployment]:
    rows = Deployment.objects.filter(route=route).select_related("provider", "route")
    return list(rows.order_by("priority", "provider__name", "model", "region"))


def _described(row: Deployment) -> Values:
    price = prices.describe(row)
    return {
        "weight": row.weight,
        "priority": row.priority,
        "price": price,
        **plans.timeouts(row),
    }


def _exported(row: Deployment) -> Values:
    said: Values = {"provider": row.provider.name, "model": row.model}
    said |= {"weight": row.weight, "priority": row.priority}
    if row.region:
        said["region"] = row.region
    said |= {key: value for key, value in plans.timeouts(row).items() if value}
    price = prices.describe(row)
    return said if price is None else {**said, "price": price}


def _label(row: Deployment) -> str:
    region = f"/{row.region}" if row.region else ""
    return f"{row.route.name}/{row.provider.name}/{row.model}{region}"
