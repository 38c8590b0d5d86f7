"""What a rule says, and what another text of it says otherwise, in words. Pure."""

from collections.abc import Iterator
from typing import cast

from policies.pdp.document import Rule
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.tree import Constant, Expression, FactUse, Operation, walk
from policies.pdp.obligations import KINDS
from policies.pdp.wording import effects, obligation

_EARLIER = {">": False, ">=": False, "<": True, "<=": True}


def said(rule: Rule, before: Rule | None = None) -> str:
    """Return what a rule says, or what it says that `before` did not."""
    if before is None:
        mode = "" if rule.mode == "enforce" else f" (mode: {rule.mode})"
        done = "; ".join(effect.rstrip(".") for effect in effects(rule))
        return f"where {format_condition(rule.when)}: {done}{mode}"
    return "; ".join(_parts(before, rule)) or "only its words differ"


def _parts(before: Rule, after: Rule) -> Iterator[str]:
    if before.when != after.when:
        yield _condition(before.when, after.when)
    for name in ("mode", "phase", "on_error"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name} {old} → {new}"
    if (before.deny is None) != (after.deny is None):
        yield "denies now" if after.deny else "no longer denies"
    elif before.deny != after.deny:
        yield "another message or remedy"
    if before.permit != after.permit:
        yield "permits now" if after.permit else "no longer permits"
    if before.risk != after.risk:
        yield f"risk {before.risk} → {after.risk}"
    yield from _demands(before, after)


def _condition(before: Expression, after: Expression) -> str:
    """Where only one figure differs, that is said; else both conditions."""
    turned = _threshold(before, after)
    if turned is None:
        return f"condition {format_condition(before)} → {format_condition(after)}"
    name, sign, old, new = turned
    earlier = (new > old) == _EARLIER[sign]
    return f"threshold of {name} {old} → {new} (matches {'earlier' if earlier else 'later'} now)"


def _threshold(before: Expression, after: Expression) -> tuple[str, str, float, float] | None:
    """Return fact, comparison and both figures where the conditions differ in one bound alone."""
    if isinstance(before, Constant) or _shape(before) != _shape(after):
        return None
    found = [
        (one, other)
        for one, other in zip(walk(before), walk(after), strict=True)
        if isinstance(one, Operation) and one.operator in _EARLIER and one != other
    ]
    changed = [
        (one, other)
        for one, other in zip(walk(before), walk(after), strict=True)
        if isinstance(one, Constant) and one != other
    ]
    if len(changed) != 1 or len(found) != 1 or _is_negated(before):
        return None
    one, other = (cast("Operation", each) for each in found[0])
    fact, figure = one.operands
    if not isinstance(fact, FactUse) or not isinstance(figure, Constant):
        return None
    old, new = figure.value, cast("Constant", other.operands[1]).value
    if not isinstance(old, int | float) or not isinstance(new, int | float):
        return None
    return fact.name, one.operator, old, new


def _is_negated(expression: Expression) -> bool:
    """Say whether somewhere something is turned round, so that a bound may work the other way."""
    turning = ("!", "==", "!=")
    nodes = (each for each in walk(expression) if isinstance(each, Operation))
    return any(
        each.operator == "!" or (each.operator in turning and each.operands[0].type == "bool")
        for each in nodes
    )


def _shape(expression: Expression) -> list[object]:
    """Return the tree without its constants."""
    return [
        each.type
        if isinstance(each, Constant)
        else (each.operator, len(each.operands))
        if isinstance(each, Operation)
        else type(each)
        if not isinstance(each, FactUse)
        else each.name
        for each in walk(expression)
    ]


def _demands(before: Rule, after: Rule) -> Iterator[str]:
    for kind in KINDS:
        old, new = before.demand(kind), after.demand(kind)
        if old == new:
            continue
        one = _lowered(obligation(kind.key, old.written())) if old else "nothing"
        other = _lowered(obligation(kind.key, new.written())) if new else "nothing"
        yield f"{kind.key}: {one} → {other}"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
