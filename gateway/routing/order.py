"""Which deployments may serve a call, and in which order they are tried. Pure."""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.bundle import Deployment

EXPLORE = 0.05
"""The share of calls that a route by latency sends by weight, so that who was slow is seen anew."""

DIGEST_BYTES = 8


class Standing(NamedTuple):
    """How a deployment stands at the moment of a call: what is measured is this worker's own.

    `latency_s` is None while nothing was measured, `cost` (currency and pico-units for this call)
    where there is no price. What is not `available` is tried after all that are.
    """

    in_flight: int = 0
    latency_s: float | None = None
    cost: tuple[str, int] | None = None
    available: bool = True


class _Placed(NamedTuple):
    deployment: Deployment
    standing: Standing


def order(
    deployments: Sequence[Deployment],
    standings: Sequence[Standing],
    strategy: str,
    draw: float,
    user: bytes = b"",
) -> list[Deployment]:
    """Return the deployments by priority (0 first), within one priority by the strategy.

    `standings` has an entry for each deployment. `draw` in [0, 1) chooses by weight, which also
    parts those that the strategy finds equal; a weight of 0 is tried after its equals. A `user`
    keeps to one deployment of a priority as long as that is there, whatever the strategy.
    """
    if len(deployments) == 1:
        return list(deployments)
    by_priority: dict[int, list[_Placed]] = {}
    for deployment, standing in zip(deployments, standings, strict=True):
        by_priority.setdefault(deployment.priority, []).append(_Placed(deployment, standing))
    ordered: list[_Placed] = []
    for priority in sorted(by_priority):
        equals = by_priority[priority]
        ordered += _sticky(equals, user) if user else _STRATEGIES[strategy](equals, draw)
    return [placed.deployment for placed in sorted(ordered, key=_is_away)]


def in_region(deployments: Sequence[Deployment], region: str) -> tuple[Deployment, ...]:
    """Return those in a region or in a part of it: `eu` is also where `eu-west` is."""
    return tuple(
        one for one in deployments if one.region == region or one.region.startswith(f"{region}-")
    )


def smoothed(known_s: float | None, measured_s: float) -> float:
    """Return the moving average of a latency after one more measurement."""
    return measured_s if known_s is None else known_s + (measured_s - known_s) / 5


def _is_away(placed: _Placed) -> bool:
    return not placed.standing.available


def _by_weight(equals: list[_Placed], draw: float) -> list[_Placed]:
    """Return one drawn by weight, then the others by falling weight."""
    rest = sorted(equals, key=lambda placed: -placed.deployment.weight)
    point = draw * sum(placed.deployment.weight for placed in equals)
    for placed in equals:
        point -= placed.deployment.weight
        if point < 0:
            rest.remove(placed)
            return [placed, *rest]
    return rest


def _least_busy(equals: list[_Placed], draw: float) -> list[_Placed]:
    """Return those first that have the least in flight for their weight."""

    def load(placed: _Placed) -> float:
        weight = placed.deployment.weight
        return (placed.standing.in_flight + 1) / weight if weight else math.inf

    return sorted(_by_weight(equals, draw), key=load)


def _fastest(equals: list[_Placed], draw: float) -> list[_Placed]:
    """Return the fastest first, now and then by weight; who was never measured is tried at once."""
    if draw < EXPLORE:
        return _by_weight(equals, draw / EXPLORE)

    def latency(placed: _Placed) -> float:
        if not placed.deployment.weight:
            return math.inf
        return placed.standing.latency_s or 0.0

    return sorted(_by_weight(equals, (draw - EXPLORE) / (1 - EXPLORE)), key=latency)


def _cheapest(equals: list[_Placed], draw: float) -> list[_Placed]:
    """Return the cheapest first; currencies do not compare: one after the other, as they stand."""
    currencies: list[str] = []
    for placed in equals:
        if placed.standing.cost is not None and placed.standing.cost[0] not in currencies:
            currencies.append(placed.standing.cost[0])

    def cost(placed: _Placed) -> tuple[float, int]:
        if placed.standing.cost is None or not placed.deployment.weight:
            return math.inf, 0
        currency, pico = placed.standing.cost
        return currencies.index(currency), pico

    return sorted(_by_weight(equals, draw), key=cost)


def _sticky(equals: list[_Placed], user: bytes) -> list[_Placed]:
    """Return them by weighted rendezvous hashing: when one goes, only its own users move."""

    def score(placed: _Placed) -> float:
        name = user + b"\0" + placed.deployment.id.encode()
        digest = hashlib.blake2b(name, digest_size=DIGEST_BYTES).digest()
        point = (int.from_bytes(digest) + 1) / (2 ** (8 * DIGEST_BYTES) + 1)
        return placed.deployment.weight / math.log(point)

    return sorted(equals, key=score)


_STRATEGIES: dict[str, Callable[[list[_Placed], float], list[_Placed]]] = {
    "weighted": _by_weight,
    "least_busy": _least_busy,
    "latency": _fastest,
    "cost": _cheapest,
}
