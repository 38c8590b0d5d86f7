"""A second evaluator, written from the promises alone: slow, without tables and without caches."""

from collections.abc import Callable
from typing import Any

from policies.pdp.decision import Decision, Effect
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.program import Layered
from policies.pdp.reliance import depends_on
from policies.pdp.request import SLOTS, FactValue

_LAYERS = ["platform", "tenant", "app"]
_METHODS = ["hash", "mask", "drop"]
_ADVICE = {"tag", "notify"}
_LISTS = ["allow_models", "allow_regions", "allow_tools"]


def naive_decide(
    layered: list[Layered], phase: str, slots: list[FactValue], failed: frozenset[str]
) -> dict[str, object]:
    """Return what `facets` returns of the right decision."""
    rules = _rules(layered, phase)
    broken = [item for item in rules if depends_on(item[3]) & failed]
    sound = [item for item in rules if item not in broken]
    enforced = [item for item in sound if item[3].mode == "enforce"]

    slots = list(slots)
    contributions = []
    if phase == "request":
        adding = [i for i in enforced if i[3].risk and evaluate(i[3].when, slots)]
        contributions = [(_name(item), item[3].risk) for item in adding]
        slots[SLOTS["risk"]] = sum(points for _, points in contributions)

    matched = [item for item in enforced if evaluate(item[3].when, slots)]
    demands = [(item, _demands(item)) for item in matched]
    denying = [item for item in matched if item[3].deny]
    empty = _emptied(demands)
    failing = [item for item in broken if item[3].mode == "enforce" and item[3].on_error == "deny"]
    closed = _closed(layered, matched) if phase == "request" else []
    reasons = denying + empty + failing + closed
    if layered and not reasons:
        reasons = _out_of_bounds(demands, phase, slots)
    denied = bool(reasons) or not layered
    permitting = [item for item, found in demands if item[3].permit or found]
    merged = _merged([found for _, found in demands])
    return {
        "permit": not denied,
        "code": _code(denying + empty, failing) if denied else "",
        "determining": _once(_name(item) for item in (reasons if denied else permitting)),
        "obligations": {k: v for k, v in merged.items() if not denied or k in _ADVICE},
        "risk": sum(points for _, points in contributions),
        "contributions": contributions,
        "matched": [_name(item) for item in matched],
        "shadow": [_name(item) for item in _shadow(sound, broken, slots)],
        "message": denying[0][3].deny.message.render(slots) if denying else None,
        "remedy": denying[0][3].deny.remedy.render(slots) if denying else None,
    }


def _demands(item: tuple) -> dict[str, object]:
    return {found.key: found.written() for found in item[3].obligations}


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


def _emptied(demands: list[tuple]) -> list[tuple]:
    """Return the rules whose lists have nothing in common with those of others."""
    found = []
    for key in _LISTS:
        naming = [(item, set(written[key])) for item, written in demands if key in written]
        if naming and not set.intersection(*(names for _, names in naming)):
            found += [item for item, _ in naming]
    return sorted(found, key=_place)


def _out_of_bounds(demands: list[tuple], phase: str, slots: list[FactValue]) -> list[tuple]:
    """Judge what all rules together demand; name the rules that demand what is not kept."""
    facts: dict[str, Any] = {name: slots[slot] for name, slot in SLOTS.items()}
    merged = _merged([written for _, written in demands])
    model = merged.get("route") or facts["model.routed"] or facts["model.asked"]
    elsewhere = "route" in merged and merged["route"] != facts["model.routed"]
    tools = facts["call.tools"] if phase == "request" else facts["answer.tool_calls"]
    declared = {tag.split("=")[0] for tag in facts["call.tags"]}

    def broken(written: dict) -> bool:
        cap, require = written.get("cap", {}), written.get("require", {})
        return (
            any(cap.get(k, facts[f"call.{k}"]) < facts[f"call.{k}"] for k in _counted)
            or model not in written.get("allow_models", [model])
            or (
                facts["model.region"] not in written.get("allow_regions", [facts["model.region"]])
                and not elsewhere
            )
            or not set(tools) <= set(written.get("allow_tools", tools))
            or (require.get("user", False) and not facts["user.present"])
            or not set(require.get("headers", [])) <= set(facts["call.headers"])
            or not set(require.get("metadata", [])) <= declared
        )

    found = [item for item, written in demands if broken(written)]
    # What each rule demands alone is kept exactly where all of it together is.
    assert bool(found) == broken(merged)
    return found


_counted = ("n", "messages", "bytes")


def _shadow(sound: list[tuple], broken: list[tuple], slots: list[FactValue]) -> list[tuple]:
    found = [i for i in sound if i[3].mode == "shadow" and evaluate(i[3].when, slots)]
    found += [i for i in broken if i[3].mode == "shadow" and i[3].on_error == "deny"]
    return sorted(found, key=_place)


def _code(denying: list[tuple], failing: list[tuple]) -> str:
    return "detector_failed" if failing and not denying else "policy_denied"


def _place(item: tuple) -> tuple:
    return item[:3]


def _once(names) -> list[str]:
    return list(dict.fromkeys(names))


def facets(decision: Decision) -> dict[str, object]:
    """Return a decision in the shape of `naive_decide`; messages of ours are left out."""
    keys = [obligation.key for obligation in decision.obligations]
    assert len(set(keys)) == len(keys)
    ruled = (
        decision.code == "policy_denied"
        and any(ref.rule != "default" for ref in decision.determining)
        and not decision.message.startswith(_OURS)
    )
    return {
        "permit": decision.effect is Effect.PERMIT,
        "code": decision.code,
        "determining": [str(ref) for ref in decision.determining],
        "obligations": {found.key: found.written() for found in decision.obligations},
        "risk": decision.risk,
        "contributions": list(decision.contributions),
        "matched": list(decision.matched),
        "shadow": list(decision.shadow),
        "message": decision.message if ruled else None,
        "remedy": decision.remedy if ruled else None,
    }


_OURS = ("The call ", "The model ", "A deployment ", "The answer calls ", "The rules ")


def _name(item: tuple) -> str:
    return f"{item[2]}/{item[1]}"


def _merged(demands: list[dict]) -> dict[str, object]:
    """Merge what was written, key by key; `demands` are sorted, the highest layer first."""
    found = {key: [written[key] for written in demands if key in written] for key in _LAWS}
    return {key: _LAWS[key](values) for key, values in found.items() if values}


def _redact(found: list[dict]) -> dict[str, object]:
    strictest = max(_METHODS.index(redact["method"]) for redact in found)
    merged: dict[str, object] = {"method": _METHODS[strictest]}
    for part in ("kinds", "secrets"):
        named = [redact[part] for redact in found if part in redact]
        if named:
            every = "all" in named
            merged[part] = "all" if every else sorted({kind for kinds in named for kind in kinds})
    scores = [redact["min_score"] for redact in found if "min_score" in redact]
    if scores:
        # Of links alone there is no score to tell; they have that of a rule that says nothing.
        merged["min_score"] = min(scores + [0.4] * (len(found) - len(scores)))
    if any("links" in redact for redact in found):
        merged["links"] = True
    return merged


def _least(found: list[dict]) -> dict[str, object]:
    names = {name for cap in found for name in cap}
    return {name: min(cap[name] for cap in found if name in cap) for name in names}


def _common(found: list[list[str]]) -> list[str]:
    return sorted(set(found[0]).intersection(*found[1:]))


def _texts(found: list[str]) -> object:
    texts = _once(found)
    return texts if len(texts) > 1 else texts[0]


def _first_values(found: list[dict]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for values in found:
        merged = {**values, **merged}
    return merged


def _tags(found: list[dict]) -> dict[str, object]:
    values = {name: sorted({tags[name] for tags in found if name in tags}) for name in _keys(found)}
    return {name: some if len(some) > 1 else some[0] for name, some in values.items()}


def _require(found: list[dict]) -> dict[str, object]:
    merged: dict[str, object] = (
        {"user": True} if any("user" in require for require in found) else {}
    )
    for part in ("headers", "metadata"):
        names = {name for require in found for name in require.get(part, [])}
        merged |= {part: sorted(names)} if names else {}
    return merged


def _keys(found: list[dict]) -> set[str]:
    return {name for one in found for name in one}


def _in_order(found: list[list[str]]) -> list[str]:
    order = ["unicode_tags", "zero_width", "bidi", "html_comments"]
    return [carrier for carrier in order if any(carrier in some for some in found)]


_LAWS: dict[str, Callable[[list], object]] = {
    "redact": _redact,
    "sanitise": _in_order,
    "cap": _least,
    "route": lambda found: found[0],
    **dict.fromkeys(_LISTS, _common),
    "add_system_prompt": _texts,
    "set_default": _first_values,
    "tag": _tags,
    "notify": lambda found: sorted({topic for topics in found for topic in topics}),
    "require": _require,
}
