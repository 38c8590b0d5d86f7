"""Which deployments may serve a call, and in which order they are tried. Pure."""

from collections.abc import Sequence

from gateway.bundle import Deployment


def order(deployments: Sequence[Deployment], draw: float) -> list[Deployment]:
    """Return the deployments by priority (0 first); within one priority a draw in [0, 1) by weight.

    A weight of 0 takes a deployment out of the draw: it is tried after its equals.
    """
    if len(deployments) == 1:
        return list(deployments)
    by_priority: dict[int, list[Deployment]] = {}
    for deployment in deployments:
        by_priority.setdefault(deployment.priority, []).append(deployment)
    ordered: list[Deployment] = []
    for priority in sorted(by_priority):
        ordered += _weighted(by_priority[priority], draw)
    return ordered


def _weighted(equals: list[Deployment], draw: float) -> list[Deployment]:
    point = draw * sum(deployment.weight for deployment in equals)
    for index, deployment in enumerate(equals):
        point -= deployment.weight
        if point < 0:
            rest = equals[:index] + equals[index + 1 :]
            return [deployment, *sorted(rest, key=lambda other: -other.weight)]
    return sorted(equals, key=lambda other: -other.weight)
