"""Which facts can be: the ranges of figures, and how facts of one detector hang together. Pure.

What a detector finds is told several times: as findings, as their count, kinds and highest score.
Facts that contradict one another there never come about, so no example shows them, and a proof may
use that they do not. `gateway.proxy.facts` makes facts so; a test holds it to it.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from policies.pdp.expression.parser import parse_condition
from policies.pdp.expression.tree import Expression
from policies.pdp.request import FACTS, RISK_MAX, SLOTS, FactValue, FindingFact

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
FLOAT_MAX = sys.float_info.max

Range = tuple[float, float]

ANY: Range = (float("-inf"), float("inf"))
_COUNT: Range = (0, float("inf"))
_SCORE: Range = (0.0, 1.0)
_COUNTS = (
    "call.messages", "call.bytes", "call.estimated_tokens", "call.images", "call.audio",
    "call.files", "pii.count", "secret.count", "injection.count", "uninspected.count",
    "answer.bytes", "answer.pii.count", "answer.secret.count", "custom.count",
    "answer.custom.count", "budget.remaining_micros",
)  # fmt: skip
_SCORES = (
    "pii.max_score", "secret.max_score", "injection.score", "answer.pii.max_score",
    "answer.secret.max_score", "custom.max_score", "answer.custom.max_score",
)  # fmt: skip
_ALL = 100
_PERCENT: Range = (0, _ALL)
_AGE: Range = (-1, float("inf"))

RANGES: Mapping[str, Range] = {
    "source.hour": (0, 23),
    "source.weekday": (1, 7),
    "risk": (0, RISK_MAX),
    "budget.used_percent": _PERCENT,
    "budget.age_ms": _AGE,
    "rate.used_percent": _PERCENT,
    "rate.age_ms": _AGE,
    "answer.echo_percent": _PERCENT,
    **dict.fromkeys(_COUNTS, _COUNT),
    **dict.fromkeys(_SCORES, _SCORE),
}
"""Least and greatest value of each figure that has bounds, both included."""

FIELD_RANGES: Mapping[str, Range] = {"score": _SCORE, "count": (1, float("inf"))}


class Group(NamedTuple):
    """The facts of one detector on one side of a call, and a kind such as it finds."""

    category: str
    findings: str
    number: str
    kinds: str
    score: str
    example: str
    is_highest: bool = True

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of its facts; the list of findings is others' too."""
        return (self.number, self.kinds, self.score)


GROUPS: tuple[Group, ...] = (
    Group("pii", "findings", "pii.count", "pii.kinds", "pii.max_score", "EMAIL_ADDRESS"),
    Group(
        "secret", "findings", "secret.count", "secret.kinds", "secret.max_score", "aws_access_key"
    ),
    Group(
        "injection", "findings", "injection.count", "injection.signals", "injection.score",
        "instruction_override", is_highest=False,
    ),
    Group("custom", "findings", "custom.count", "custom.kinds", "custom.max_score", "CUSTOM"),
    Group(
        "pii", "answer.findings", "answer.pii.count", "answer.pii.kinds", "answer.pii.max_score",
        "EMAIL_ADDRESS",
    ),
    Group(
        "secret", "answer.findings", "answer.secret.count", "answer.secret.kinds",
        "answer.secret.max_score", "aws_access_key",
    ),
    Group(
        "custom", "answer.findings", "answer.custom.count", "answer.custom.kinds",
        "answer.custom.max_score", "CUSTOM",
    ),
)  # fmt: skip


class Count(NamedTuple):
    """What was seen last of a counter: how old that is, how much is used, what is left, if told."""

    age: str
    percent: str
    left: str = ""

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of its facts."""
        return tuple(filter(None, self))


COUNTS: tuple[Count, ...] = (
    Count("budget.age_ms", "budget.used_percent", "budget.remaining_micros"),
    Count("rate.age_ms", "rate.used_percent"),
)


def group_of(fact: str) -> str:
    """Return a name that facts which hang together share; a fact alone has its own."""
    for group in GROUPS:
        if fact in group.facts:
            return group.findings
    return next((count.age for count in COUNTS if fact in count), fact)


def laws(names: frozenset[str]) -> tuple[Expression, ...]:
    """Return, as conditions, how the facts hang together that share a group with any of these."""
    found: list[Expression] = []
    for group, law in zip(GROUPS, _LAWS, strict=True):
        if names & {*group.facts, group.findings}:
            found += law
    for count, law in zip(COUNTS, _LAWS_OF_COUNTS, strict=True):
        if names.intersection(count.facts):
            found += law
    return tuple(found)


def _laws(group: Group) -> tuple[Expression, ...]:
    """Whatever is not said here (a sum, for one) an example is still checked for."""
    own = f'f.category != "{group.category}"'
    none = f"{group.number} == 0"
    conditions = [
        f"({none}) == (size({group.kinds}) == 0)",
        f"{group.number} > 0 || {group.score} == 0.0",
        f"size({group.kinds}) <= {group.number}",
        f"({none}) == {group.findings}.all(f, {own})",
        f"{group.findings}.all(f, {own} || f.kind in {group.kinds} && f.count <= {group.number})",
    ]
    if group.is_highest:
        conditions.append(f"{group.findings}.all(f, {own} || f.score <= {group.score})")
    return tuple(map(parse_condition, conditions))


def _laws_of(count: Count) -> tuple[Expression, ...]:
    """What was never seen is nothing; what is used up has nothing left, and only that."""
    age, percent, left = count
    conditions = [f"{age} >= 0 || {percent} == 0"]
    if left:
        conditions.append(f"{age} >= 0 || {left} == 0")
        conditions.append(f"{age} < 0 || ({percent} == {_ALL}) == ({left} == 0)")
    return tuple(map(parse_condition, conditions))


_LAWS = tuple(map(_laws, GROUPS))
_LAWS_OF_COUNTS = tuple(map(_laws_of, COUNTS))


def coherent(slots: Sequence[FactValue]) -> bool:
    """Say whether counts, kinds, scores and findings tell the same, and what is used and left."""
    told = (_agrees(group, slots) for group in GROUPS)
    return all(told) and all(_seen_so(count, slots) for count in COUNTS)


def complete(slots: Sequence[FactValue], fixed: frozenset[str]) -> list[FactValue]:
    """Return the facts with those of each detector adjusted to one another, the fixed ones kept."""
    done = list(slots)
    for count in COUNTS:
        _count(count, done, fixed)
    for group in GROUPS:
        if group.findings in fixed:
            _from_findings(group, done, fixed)
        else:
            _figures(group, done, fixed)
    for name in sorted({group.findings for group in GROUPS} - fixed):
        own = [group for group in GROUPS if group.findings == name]
        done[SLOTS[name]] = tuple(finding for group in own for finding in _findings(group, done))
    return done


def _agrees(group: Group, slots: Sequence[FactValue]) -> bool:
    count, kinds, score = (slots[SLOTS[name]] for name in group.facts)
    listed = tuple(cast("Sequence[str]", kinds))
    found = _own(group, slots)
    told = (
        sum(finding[4] for finding in found) == count
        and {finding.kind for finding in found} == set(listed)
        and len(set(listed)) == len(listed)
    )
    if not group.is_highest:
        return told and (bool(found) or score == 0)
    return told and score == max((finding.score for finding in found), default=0.0)


def _seen_so(count: Count, slots: Sequence[FactValue]) -> bool:
    age, percent, left = (cast("int", slots[SLOTS[name]]) if name else None for name in count)
    if age == -1:
        return not percent and not left
    return left is None or (percent == _ALL) == (left == 0)


def _count(count: Count, slots: list[FactValue], fixed: frozenset[str]) -> None:
    """Set what is not fixed, so that it fits to what is: of what is told, that it was just seen."""
    figures = [name for name in (count.percent, count.left) if name]
    values = {name: cast("int", slots[SLOTS[name]]) for name in figures}
    if count.age not in fixed and any(values.values()):
        slots[SLOTS[count.age]] = max(0, cast("int", slots[SLOTS[count.age]]))
    told: dict[str, FactValue] = {}
    if slots[SLOTS[count.age]] == -1:
        told = dict.fromkeys(figures, 0)
    elif count.left and count.left in fixed:
        told[count.percent] = min(values[count.percent], _ALL - 1) if values[count.left] else _ALL
    elif count.left:
        told[count.left] = max(1, values[count.left]) if values[count.percent] < _ALL else 0
    for name in told.keys() - fixed:
        slots[SLOTS[name]] = told[name]


def _own(group: Group, slots: Sequence[FactValue]) -> list[FindingFact]:
    findings = cast("Sequence[FindingFact]", slots[SLOTS[group.findings]])
    return [finding for finding in findings if finding.category == group.category]


def _from_findings(group: Group, slots: list[FactValue], fixed: frozenset[str]) -> None:
    own = _own(group, slots)
    told: Mapping[str, FactValue] = {
        group.number: sum(finding[4] for finding in own),
        group.kinds: tuple(sorted({finding.kind for finding in own})),
        group.score: max((finding.score for finding in own), default=0.0),
    }
    for name in group.facts:
        if name not in fixed:
            slots[SLOTS[name]] = told[name]


def _figures(group: Group, slots: list[FactValue], fixed: frozenset[str]) -> None:
    """Set what is not fixed of count, kinds and score, so that it fits to what is."""
    told = [name for name in group.facts if slots[SLOTS[name]] != FACTS[name].default]
    kinds = tuple(cast("Sequence[str]", slots[SLOTS[group.kinds]]))
    if group.kinds not in fixed:
        kinds = kinds or ((group.example,) if told else ())
        slots[SLOTS[group.kinds]] = kinds
    if group.number not in fixed:
        slots[SLOTS[group.number]] = max(len(kinds), cast("int", slots[SLOTS[group.number]]))
    if group.score not in fixed and told and not slots[SLOTS[group.score]]:
        slots[SLOTS[group.score]] = 1.0


def _findings(group: Group, slots: Sequence[FactValue]) -> list[FindingFact]:
    count, kinds, score = (slots[SLOTS[name]] for name in group.facts)
    left = cast("int", count)
    made: list[FindingFact] = []
    for kind in reversed(cast("Sequence[str]", kinds)):
        here = max(1, left - (len(cast("Sequence[str]", kinds)) - 1)) if not made else 1
        made.append(FindingFact(kind, group.category, cast("float", score), "user", here))
    return made
