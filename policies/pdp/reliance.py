"""Which rules depend on what a tenant's own detectors find: others need not wait for it. Pure.

A rule that looks through all findings for one of another category depends on none of these.
"""

from collections.abc import Iterator

from policies.pdp.document import Rule
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Quantifier,
)
from policies.pdp.request import FACTS, Phase

CUSTOM = "custom"
_PHASES: tuple[Phase, ...] = ("request", "answer")


def depends_on(rule: Rule) -> frozenset[str]:
    """Return the detectors whose failure leaves a rule unjudged.

    A failure of the tenant's own is none of the business of a rule that does not rely on them:
    whether they run at all is up to other rules, and even one in shadow may ask for them.
    """
    if any(relies_on_custom(rule, phase) for phase in _PHASES):
        return rule.detectors
    return rule.detectors - {CUSTOM}


def relies_on_custom(rule: Rule, phase: Phase) -> bool:
    """Tell whether findings of the category `custom` in the texts of a phase can matter to a rule,
    in its condition, in what it says, or in what it takes out."""
    if rule.redact is not None and rule.phase == phase and CUSTOM in rule.redact.detectors:
        return True
    names = [*rule.shows, *(use.name for use in _uses(rule.when))]
    return any(FACTS[name].phase == phase and CUSTOM in FACTS[name].detectors for name in names)


def _uses(condition: Expression) -> Iterator[FactUse]:
    """Yield the uses of facts, but for findings of which those of the category are left out."""
    if isinstance(condition, FactUse):
        yield condition
    elif isinstance(condition, Operation):
        for operand in condition.operands:
            yield from _uses(operand)
    elif isinstance(condition, Quantifier):
        if not (condition.kind == "exists" and _of_others(condition.body)):
            yield condition.over
        yield from _uses(condition.body)


def _of_others(body: Expression) -> bool:
    """Tell whether a condition on one finding never holds for one of the category."""
    if not isinstance(body, Operation):
        return False
    if body.operator == "&&":
        return any(map(_of_others, body.operands))
    if body.operator == "||":
        return all(map(_of_others, body.operands))
    return _category_of_others(body)


def _category_of_others(asked: Operation) -> bool:
    """Read `f.category == "pii"`, either way round, and `f.category in ["pii", "secret"]`."""
    if asked.operator not in ("==", "in"):
        return False
    element, other = asked.operands
    if isinstance(element, Constant) and asked.operator == "==":
        element, other = other, element
    if not (isinstance(element, Element) and element.field == "category"):
        return False
    if not isinstance(other, Constant):
        return False
    values = other.value if isinstance(other.value, tuple) else (other.value,)
    return CUSTOM not in values
