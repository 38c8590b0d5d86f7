"""Rules that leave nothing permitted where they match together, and policies that permit nothing.
Pure."""

from collections.abc import Iterator
from itertools import combinations

from policies.pdp.analysis.causes import names_of
from policies.pdp.analysis.finding import Finding
from policies.pdp.analysis.single import Sound
from policies.pdp.analysis.view import Asker, View
from policies.pdp.combine import BoundRule, order
from policies.pdp.obligations import ALLOWED, AllowModels


def meetings(view: View, asker: Asker, sound: Sound) -> Iterator[Finding]:
    """Yield what cannot be kept together, each with facts that bring it about."""
    rules = [item for item in view.enforced if item in sound]
    yield from _lists(view, asker, rules)
    yield from _routes(view, asker, rules)
    if view.phase == "request":
        yield from _everything(view, asker)


def _lists(view: View, asker: Asker, rules: list[BoundRule]) -> Iterator[Finding]:
    """Two lists of what is allowed that have nothing in common."""
    for kind in ALLOWED:
        naming = [(item, names) for item in rules if (names := names_of(item, kind))]
        what = kind.key.removeprefix("allow_")
        for (one, some), (other, others) in combinations(naming, 2):
            if not some & others:
                yield from _meeting(view, asker, (one, other), f"together allow no {what}")


def _routes(view: View, asker: Asker, rules: list[BoundRule]) -> Iterator[Finding]:
    """A route to a model that another rule does not allow."""
    routes = [item for item in rules if item.rule.route]
    for route in routes:
        stronger = [item for item in routes if order(item.ref) < order(route.ref)]
        for item in rules:
            allowed = names_of(item, AllowModels)
            model = route.rule.route.model if route.rule.route else ""
            if allowed and model not in allowed:
                said = f"send the call to {model} and do not allow that model"
                yield from _meeting(view, asker, (route, item), said, stronger)


def _meeting(
    view: View,
    asker: Asker,
    pair: tuple[BoundRule, BoundRule],
    said: str,
    stronger: list[BoundRule] | None = None,
) -> Iterator[Finding]:
    goals = [view.goal(item.rule.when) for item in dict.fromkeys(pair)]
    goals += [view.goal(item.rule.when, holds=False) for item in stronger or ()]
    answer = asker.ask(goals)
    if answer.found == "yes":
        one, other = pair
        names = str(one.ref) if one == other else f"{one.ref} and {other.ref}"
        words = f"{names} {said}: where both match, the call is denied"
        yield view.finding(
            "contradiction", "warning", words, list(dict.fromkeys(pair)), slots=answer.slots
        )


def _everything(view: View, asker: Asker) -> Iterator[Finding]:
    found = asker.permitted([], view.denials())
    if found.answer.found == "no":
        refs = tuple(dict.fromkeys(cause.ref for cause in found.used))
        names = ", ".join(map(str, refs)) or "the policies"
        words = f"no call is permitted: {names} together deny every one"
        yield Finding("denies_everything", "warning", words, refs, reason=found.answer.proof)
