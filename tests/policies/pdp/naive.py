"""A second evaluator, written from the promises alone: slow, without tables and without caches."""

from policies.pdp.decision import CapOutputTokens, Decision, Effect, Redact, RedactMethod, RouteTo
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.program import Layered
from policies.pdp.request import SLOTS, FactValue

_LAYERS = ["platform", "tenant", "app"]
_METHODS: list[RedactMethod] = ["hash", "mask", "drop"]


def naive_decide(
    layered: list[Layered], phase: str, slots: list[FactValue], failed: frozenset[str]
) -> dict[str, object]:
    """Return what `facets` returns of the right decision."""
    rules = _rules(layered, phase)
    broken = [item for item in rules if item[3].detectors & failed]
    sound = [item for item in rules if item not in broken]
    enforced = [item for item in sound if item[3].mode == "enforce"]

    slots = list(slots)
    contributions = []
    if phase == "request":
        adding = [i for i in enforced if i[3].risk and evaluate(i[3].when, slots)]
        contributions = [(_name(item), item[3].risk) for item in adding]
        slots[SLOTS["risk"]] = sum(points for _, points in contributions)

    matched = [item for item in enforced if evaluate(item[3].when, slots)]
    denying = [item for item in matched if item[3].deny]
    failing = [item for item in broken if item[3].mode == "enforce" and item[3].on_error == "deny"]
    closed = _closed(layered, matched) if phase == "request" else []
    reasons = denying + failing + closed
    denied = bool(reasons) or not layered
    permitting = [i for i in matched if i[3].permit or i[3].redact or i[3].cap or i[3].route]
    return {
        "permit": not denied,
        "code": _code(denying, failing) if denied else "",
        "determining": [_name(item) for item in (reasons if denied else permitting)],
        "redact": None if denied else _redact([item[3].redact for item in matched]),
        "cap": None if denied else _least([item[3].cap for item in matched]),
        "route": None if denied else _first([item[3].route for item in matched]),
        "risk": sum(points for _, points in contributions),
        "contributions": contributions,
        "matched": [_name(item) for item in matched],
        "shadow": [_name(item) for item in _shadow(sound, broken, slots)],
        "message": denying[0][3].deny.message.render(slots) if denying else None,
        "remedy": denying[0][3].deny.remedy.render(slots) if denying else None,
    }


def _rules(layered: list[Layered], phase: str) -> list[tuple]:
    rules = [
        (_LAYERS.index(policy.layer), rule.id, policy.name, rule)
        for policy in layered
        for rule in policy.document.rules
        if rule.phase == phase and rule.mode != "disabled"
    ]
    return sorted(rules, key=_place)


def _closed(layered: list[Layered], matched: list[tuple]) -> list[tuple]:
    closed = []
    for policy in layered:
        permits = [item for item in matched if item[3].permit and item[2] == policy.name]
        if not policy.document.default_permit and not permits:
            closed.append((_LAYERS.index(policy.layer), "default", policy.name, None))
    return sorted(closed, key=_place)


def _shadow(sound: list[tuple], broken: list[tuple], slots: list[FactValue]) -> list[tuple]:
    found = [i for i in sound if i[3].mode == "shadow" and evaluate(i[3].when, slots)]
    found += [i for i in broken if i[3].mode == "shadow" and i[3].on_error == "deny"]
    return sorted(found, key=_place)


def _code(denying: list[tuple], failing: list[tuple]) -> str:
    return "detector_failed" if failing and not denying else "policy_denied"


def _place(item: tuple) -> tuple:
    return item[:3]


def facets(decision: Decision) -> dict[str, object]:
    """Return a decision in the shape of `naive_decide`; messages of ours are left out."""
    redacts = [item for item in decision.obligations if isinstance(item, Redact)]
    caps = [i.max_output_tokens for i in decision.obligations if isinstance(i, CapOutputTokens)]
    routes = [item.model for item in decision.obligations if isinstance(item, RouteTo)]
    assert max(len(redacts), len(caps), len(routes)) <= 1
    ruled = decision.code == "policy_denied" and any(
        ref.rule != "default" for ref in decision.determining
    )
    return {
        "permit": decision.effect is Effect.PERMIT,
        "code": decision.code,
        "determining": [str(ref) for ref in decision.determining],
        "redact": next(iter(redacts), None),
        "cap": next(iter(caps), None),
        "route": next(iter(routes), None),
        "risk": decision.risk,
        "contributions": list(decision.contributions),
        "matched": list(decision.matched),
        "shadow": list(decision.shadow),
        "message": decision.message if ruled else None,
        "remedy": decision.remedy if ruled else None,
    }


def _name(item: tuple) -> str:
    return f"{item[2]}/{item[1]}"


def _redact(found: list) -> Redact | None:
    wanted = [redact for redact in found if redact]
    if not wanted:
        return None
    kinds = set()
    for redact in wanted:
        kinds |= redact.kinds
    if any(not redact.kinds for redact in wanted):
        kinds = set()
    strictest = max(_METHODS.index(redact.method) for redact in wanted)
    return Redact(frozenset(kinds), min(r.min_score for r in wanted), _METHODS[strictest])


def _least(found: list) -> int | None:
    return min((cap.max_output_tokens for cap in found if cap), default=None)


def _first(found: list) -> str | None:
    return next((route.model for route in found if route), None)
