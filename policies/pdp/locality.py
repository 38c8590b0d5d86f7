"""Which rules let a stream pass as it comes, and which must see the answer whole. Pure.

A rule is *local* where the first finding that matters decides it, whatever comes later: then what
was let go before cannot turn out to be forbidden. A stream is gathered whole where one enforced
rule of the answer phase is not local, so that a stream and a whole answer are always judged alike.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from policies.pdp.combine import BoundRule
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.tree import (
    Constant,
    ConstantValue,
    Element,
    Expression,
    FactUse,
    Operation,
    Operator,
    Quantifier,
    facts_read,
    walk,
)
from policies.pdp.obligations import AllowTools, Redact, Sanitise
from policies.pdp.request import FACTS

_BOUNDED: Final = frozenset({"pii", "secret", "custom"})
_COUNTS: Final = {f"answer.{category}.count": category for category in _BOUNDED}
_SCORES: Final = {f"answer.{category}.max_score": category for category in _BOUNDED}
_LISTS: Final = {
    "answer.pii.kinds": "pii",
    "answer.secret.kinds": "secret",
    "answer.custom.kinds": "custom",
    "answer.links": "link",
    "answer.tool_calls": "tool",
    "answer.tool_faults": "fault",
    "answer.tainted_hosts": "host",
}
_MIRROR: Final[dict[Operator, Operator]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SOME: Final[tuple[tuple[Operator, int], ...]] = ((">", 0), (">=", 1), ("!=", 0))
_LEAST: Final = 1e-9


class Trigger(NamedTuple):
    """What the first finding must be for a condition to hold.

    `exact` says that every finding of the category, of these kinds (None: any) and from this score
    on is enough; otherwise something else is asked of it too.
    """

    category: str
    kinds: frozenset[str] | None = None
    score: float = 0.0
    exact: bool = True


class NotLocal(Exception):
    """A condition that more than the first finding decides; the message says what of it does."""


def gathering(
    rules: Iterable[BoundRule], entities: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return why streams must be gathered under these rules, one reason a rule; () where they need
    not be. Only enforced rules of the answer phase count: nothing depends on a shadow's verdict.

    `entities` are the kinds of names that a model finds in answers: one reads texts as a whole.
    """
    judged = [item for item in rules if item.rule.phase == "answer" and item.rule.mode == "enforce"]
    reasons: list[str] = []
    for item in judged:
        try:
            _check(item, entities)
        except NotLocal as fault:
            reasons.append(f"{item.ref}: {fault}")
    return (*reasons, *_unlike(judged))


def _check(item: BoundRule, entities: frozenset[str]) -> None:
    rule = item.rule
    if entities and rule.asks_names("answer", entities):
        raise NotLocal("names are found in whole texts, by a model")
    touching = [one for one in rule.obligations if isinstance(one, (AllowTools, Redact, Sanitise))]
    if not touching and rule.deny is None:
        return  # what it tells of, it tells at the end
    if rule.demand(Sanitise):
        raise NotLocal("what hides text can go on for as long as the answer")
    triggers = triggers_of(rule.when)
    if not triggers:
        return
    if rule.demand(AllowTools):
        raise NotLocal("tools may have been called before the condition holds")
    if rule.redact is not None:
        _check_redaction(rule.redact, triggers, alone=_reads_requests(rule.when))


def _check_redaction(redact: Redact, triggers: Sequence[Trigger], *, alone: bool) -> None:
    """Refuse a redaction of findings that may come before the condition holds.

    `alone` says that each trigger stands under a condition on the request, so that each by itself
    must do for all that is taken out.
    """
    if redact.links:
        raise NotLocal("links may have gone before the condition holds; redact them `when: true`")
    groups = [(trigger,) for trigger in triggers] if alone else [tuple(triggers)]
    taken = [("pii", redact.kinds), ("secret", redact.secrets), ("custom", redact.custom)]
    for group in groups:
        for category, kinds in taken:
            if kinds is not None and not _met(category, kinds, redact.min_score, group):
                raise NotLocal(
                    f"some {category} findings are taken out that do not make the condition hold"
                )


def _met(category: str, kinds: frozenset[str], score: float, group: Sequence[Trigger]) -> bool:
    """Tell whether each finding of the kinds (none named: every kind) is enough by itself."""
    fit = [one for one in group if one.category == category and one.exact and one.score <= score]
    if any(one.kinds is None for one in fit):
        return True
    named = frozenset[str]().union(*(one.kinds for one in fit if one.kinds is not None))
    return bool(kinds) and kinds <= named


def _unlike(judged: Sequence[BoundRule]) -> Iterator[str]:
    """Tell of redactions that would become another where a later finding adds a second."""
    redacting = [item for item in judged if item.rule.redact is not None]
    ways = {(one.method, one.min_score) for item in redacting if (one := item.rule.redact)}
    if len(ways) > 1 and any(_reads_answers(item.rule.when) for item in redacting):
        names = " and ".join(str(item.ref) for item in redacting)
        yield f"{names}: they differ in method or score, and a later finding may join them"


def triggers_of(condition: Expression) -> list[Trigger]:
    """Return what makes a condition hold beside facts of the request; NotLocal for any other."""
    if not _reads_answers(condition):
        return []
    if isinstance(condition, Operation) and condition.operator == "||":
        return [one for operand in condition.operands for one in triggers_of(operand)]
    if isinstance(condition, Operation) and condition.operator == "&&":
        judging = [operand for operand in condition.operands if _reads_answers(operand)]
        if len(judging) > 1:
            raise NotLocal(f"no single finding decides {format_condition(condition)}")
        return triggers_of(judging[0])
    return _atom(condition)


def _atom(condition: Expression) -> list[Trigger]:
    found: list[Trigger] | None = None
    if isinstance(condition, Quantifier) and condition.kind == "exists":
        found = _exists(condition)
    elif isinstance(condition, Operation) and condition.operator == "in":
        found = _member(condition)
    elif isinstance(condition, Operation):
        found = _compared(condition)
    if found is None:
        raise NotLocal(f"its first finding does not decide {format_condition(condition)}")
    return found


def _compared(operation: Operation) -> list[Trigger] | None:
    """Read `count > 0`, `max_score >= 0.5` and `size(list) > 0`, either way round."""
    operator, subject, value = _sided(operation)
    if isinstance(subject, FactUse) and subject.name in _SCORES:
        bound = _lower_bound(operator, value)
        return None if bound is None else [Trigger(_SCORES[subject.name], None, bound)]
    if (operator, value) not in _SOME:
        return None
    if isinstance(subject, FactUse) and subject.name in _COUNTS:
        return [Trigger(_COUNTS[subject.name])]
    if isinstance(subject, Operation) and subject.operator == "size":
        listed = subject.operands[0]
        if isinstance(listed, FactUse) and listed.name in _LISTS:
            return [Trigger(_LISTS[listed.name])]
    return None


def _sided(operation: Operation) -> tuple[Operator, Expression | None, ConstantValue]:
    """Return a comparison with a constant as operator, subject and value; subject None for none."""
    left, right = operation.operands[0], operation.operands[-1]
    operator = operation.operator
    if isinstance(left, Constant):
        left, right, operator = right, left, _MIRROR.get(operator, operator)
    if not isinstance(right, Constant):
        return operator, None, False
    return operator, left, right.value


def _lower_bound(operator: Operator, value: ConstantValue) -> float | None:
    if operator not in (">", ">=") or not isinstance(value, (int, float)):
        return None
    return float(value) + _LEAST * (operator == ">")


def _member(operation: Operation) -> list[Trigger] | None:
    """Read `"EMAIL_ADDRESS" in answer.pii.kinds`."""
    item, container = operation.operands
    if not isinstance(container, FactUse) or container.name not in _LISTS:
        return None
    if not isinstance(item, Constant):
        return None
    return [Trigger(_LISTS[container.name], frozenset({str(item.value)}))]


def _exists(quantifier: Quantifier) -> list[Trigger] | None:
    name = quantifier.over.name
    if _reads_answers(quantifier.body):
        return None
    if name in _LISTS:
        named = _named(quantifier.body, "")
        return [Trigger(_LISTS[name], named, exact=named is not None)]
    return _of_findings(quantifier.body) if name == "answer.findings" else None


class _Asked:
    """What the parts of a condition ask of one finding."""

    def __init__(self) -> None:
        self.categories: frozenset[str] | None = None
        self.kinds: frozenset[str] | None = None
        self.score = 0.0
        self.exact = True

    def add(self, part: Expression) -> None:
        """Take in one part; NotLocal where it may be false again when more is found.

        Findings of a kind are one with their highest score: one may be bounded from below only.
        """
        fields = {node.field for node in walk(part) if isinstance(node, Element)}
        if "count" in fields:
            raise NotLocal("how many were found is known at the end")
        bound = _least_score(part)
        if bound is not None:
            self.score = max(self.score, bound)
        elif "score" in fields:
            raise NotLocal("a score that must not be higher can still rise")
        elif (named := _named(part, "category")) is not None:
            self.categories = named if self.categories is None else self.categories & named
        elif (named := _named(part, "kind")) is not None:
            self.kinds = named if self.kinds is None else self.kinds & named
        else:
            self.exact = False


def _of_findings(body: Expression) -> list[Trigger]:
    """Read a condition on one finding, which must be of a category whose findings are bounded."""
    asked = _Asked()
    for part in _conjuncts(body):
        asked.add(part)
    categories = asked.categories
    if categories is None and asked.kinds and all(kind.isupper() for kind in asked.kinds):
        categories = frozenset({"pii", "custom"})
    if categories is None or not categories <= _BOUNDED:
        raise NotLocal('it looks for more than f.category == "pii", "secret" or "custom"')
    return [
        Trigger(category, asked.kinds, asked.score, asked.exact) for category in sorted(categories)
    ]


def _conjuncts(body: Expression) -> Iterator[Expression]:
    if isinstance(body, Operation) and body.operator == "&&":
        for operand in body.operands:
            yield from _conjuncts(operand)
    else:
        yield body


def _named(part: Expression, field: str) -> frozenset[str] | None:
    """Return the names that a field of the element is compared with, None for anything else."""
    if not isinstance(part, Operation):
        return None
    if part.operator == "||":
        found = [_named(operand, field) for operand in part.operands]
        united = frozenset[str]().union(*(one for one in found if one is not None))
        return None if None in found else united
    if part.operator not in ("==", "in"):
        return None
    element, other = part.operands
    if isinstance(element, Constant) and part.operator == "==":
        element, other = other, element
    if (
        not isinstance(element, Element)
        or element.field != field
        or not isinstance(other, Constant)
    ):
        return None
    values = other.value if isinstance(other.value, tuple) else (other.value,)
    return frozenset(map(str, values))


def _least_score(part: Expression) -> float | None:
    if not isinstance(part, Operation):
        return None
    operator, subject, value = _sided(part)
    if not isinstance(subject, Element) or subject.field != "score":
        return None
    return _lower_bound(operator, value)


def _reads_answers(condition: Expression) -> bool:
    """Tell whether a condition reads what is not known when the answer begins; the risk of a call
    counts as such, since a rule that reads it weighs the whole."""
    return any(
        use.name == "risk" or FACTS[use.name].phase == "answer" for use in facts_read(condition)
    )


def _reads_requests(condition: Expression) -> bool:
    return any(
        use.name != "risk" and FACTS[use.name].phase == "request" for use in facts_read(condition)
    )
