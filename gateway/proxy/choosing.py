"""Which deployments may serve a call now, in the order of trial: the route's plan put to use."""

from typing import NamedTuple

from gateway.bundle import Deployment, Route
from gateway.exchange import Call, Head
from gateway.pricing import bound_pico, price_at
from gateway.providers.dialects import between
from gateway.proxy.directory import Principal
from gateway.proxy.errors import BadRequest, Forbidden, Refusal
from gateway.proxy.keyring import NONE
from gateway.proxy.sightings import Sightings
from gateway.proxy.stations import Stations
from gateway.routing.order import Standing, in_region, order

BYTES_PER_TOKEN = 4
REGION_TAG = "region"
UNKNOWN = Standing()


class Choosing(NamedTuple):
    """What a choice depends on besides the call: a draw in [0, 1), the instant, what is known of
    those that serve, and what counters said last."""

    draw: float
    now_s: float = 0.0
    stations: Stations | None = None
    sightings: Sightings | None = None


def candidates(
    route: Route, head: Head, call: Call, principal: Principal, choosing: Choosing
) -> tuple[Deployment, ...]:
    """Return the deployments of a route in the order of trial.

    None where its region has none, or none can be asked what the client asks for.
    """
    deployments, plan = serving(call, route.deployments), route.plan
    if plan.regional:
        deployments = of_region(deployments, head)
    if len(deployments) < 2:  # noqa: PLR2004  (one needs no order)
        return deployments
    user = ""
    if plan.sticky:
        user = principal.row.user or head.user or call.user
    standings = _standings(deployments, route, call, principal, choosing)
    return tuple(order(deployments, standings, plan.strategy, choosing.draw, user.encode()))


def of_region(deployments: tuple[Deployment, ...], head: Head) -> tuple[Deployment, ...]:
    """Return those in the region that a call declares, all where it declares none."""
    region = dict(head.tags).get(REGION_TAG)
    return deployments if region is None else in_region(deployments, region)


def serving(call: Call, deployments: tuple[Deployment, ...]) -> tuple[Deployment, ...]:
    """Return those whose provider can be asked what the client asks for."""
    if all(between(call.endpoint, deployment.dialect) for deployment in deployments):
        return deployments
    return tuple(found for found in deployments if between(call.endpoint, found.dialect))


def not_served(head: Head, call: Call, route: Route) -> Refusal:
    """Return the refusal of a call that no deployment of its model can serve."""
    if not serving(call, route.deployments):
        return BadRequest(
            "invalid_request",
            f"{route.name} is not served at the endpoint {call.endpoint.value}.",
            "GET /v1/models lists the models.",
            param="model",
        )
    return Forbidden(
        "region_not_served",
        f"No deployment of this model is in the region {dict(head.tags).get(REGION_TAG)!r}.",
        "Leave the tag out, or ask for a deployment there.",
    )


def tokens(route: Route, call: Call) -> int:
    """Return about how many tokens a call takes of a route's context: what goes in, and out."""
    return call.size // BYTES_PER_TOKEN + cap(route, call)


def cap(route: Route, call: Call) -> int:
    """Return the tokens that may come out, of all choices."""
    asked = call.max_output_tokens or route.default_max_output_tokens
    return call.n * min(asked, route.max_output_tokens)


def _standings(
    deployments: tuple[Deployment, ...],
    route: Route,
    call: Call,
    principal: Principal,
    choosing: Choosing,
) -> list[Standing]:
    stations, secrets = choosing.stations, principal.tenant.secrets
    if stations is None:
        return [UNKNOWN] * len(deployments)
    by_cost = route.plan.strategy == "cost"
    found = []
    for deployment in deployments:
        station = stations.of(deployment)
        away = stations.refusal(deployment, secrets.get(deployment.id, (NONE,)))
        cost = _cost(deployment, route, call, choosing.now_s) if by_cost else None
        found.append(Standing(station.in_flight, station.latency_s, cost, away is None))
    return found


def _cost(deployment: Deployment, route: Route, call: Call, now_s: float) -> tuple[str, int] | None:
    price = price_at(deployment.prices, int(now_s))
    if price is None:
        return None
    return price.currency, bound_pico(call.size // BYTES_PER_TOKEN, cap(route, call), price)
