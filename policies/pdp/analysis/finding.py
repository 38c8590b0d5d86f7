"""What analysis finds: in words, where, and with the facts that show it or the reason that proves
it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from policies.pdp.decision import RuleRef
from policies.pdp.document import Document
from policies.pdp.obligations import Json
from policies.pdp.problem import split_lines
from policies.pdp.request import FACTS, SLOTS, FactValue, FindingFact

Kind = Literal[
    "unreachable", "risk_out_of_reach", "always", "denies_everything", "contradiction",
    "duplicate", "subsumed", "ineffective", "never_fired", "not_decided",
]  # fmt: skip
Severity = Literal["warning", "note"]

KINDS: dict[Kind, str] = {
    "unreachable": "The condition can never hold.",
    "risk_out_of_reach": "No sum of risk points makes the condition hold.",
    "always": "The condition holds for every call.",
    "denies_everything": "No call at all is permitted.",
    "contradiction": "Two rules that match together leave nothing that is permitted.",
    "duplicate": "Another rule does the same on the same calls.",
    "subsumed": "Another rule of the same layer does at least as much whenever this one matches.",
    "ineffective": "What the rule says never shows: others, above it for one, settle its calls.",
    "never_fired": "The rule has not matched in the time that was looked at.",
    "not_decided": "The bound on work ended the question; nothing is claimed.",
}
"""Every kind of finding, and what it means."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Witness:
    """Facts of a call that show a finding: the whole vector, and those that matter, by name."""

    slots: tuple[FactValue, ...]
    facts: tuple[tuple[str, FactValue], ...]

    @property
    def words(self) -> str:
        """The facts that matter, as they stand in conditions."""
        said = [f"{name} = {shown(value)}" for name, value in self.facts[:_SHOWN]]
        return ", ".join(said) or "any call"

    def written(self) -> dict[str, Json]:
        """Return the facts that matter, as the tests of a policy give them."""
        return {name: given(value) for name, value in self.facts}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `rules` begins with the rule that it is about, if it is about one; line and
    column count from 1, and are 0 where the text is not known. It has a witness, or a reason."""

    kind: Kind
    severity: Severity
    words: str
    rules: tuple[RuleRef, ...] = ()
    line: int = 0
    column: int = 0
    witness: Witness | None = None
    reason: str = ""

    def written(self) -> dict[str, Json]:
        """Return the finding as data."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "words": self.words,
            "rules": [
                {"layer": ref.layer, "policy": ref.policy, "rule": ref.rule} for ref in self.rules
            ],
            "line": self.line,
            "column": self.column,
            "witness": self.witness.written() if self.witness else None,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, by place; `steps` is what they cost, and `undecided` how many questions the
    bound on work left without an answer."""

    findings: tuple[Finding, ...]
    steps: int
    undecided: int

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return sum(finding.severity == "warning" for finding in self.findings)

    def written(self) -> dict[str, Json]:
        """Return the report as data."""
        return {
            "findings": [finding.written() for finding in self.findings],
            "warnings": self.warnings,
            "undecided": self.undecided,
        }


def witness(slots: Sequence[FactValue], reads: Iterable[str]) -> Witness:
    """Return these facts as a witness; those that are read and not as usual matter."""
    names = [name for name in FACTS if name in frozenset(reads)]
    facts = [(name, slots[SLOTS[name]]) for name in names]
    told = [(name, value) for name, value in facts if value != FACTS[name].default]
    return Witness(tuple(slots), tuple(told))


def shown(value: FactValue) -> str:
    """Return a value as it is written in a condition."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{value}"'
    return f"[{', '.join(map(_item, value))}]"


def given(value: FactValue) -> Json:
    """Return a value as the tests of a policy give it."""
    if isinstance(value, bool | int | float | str):
        return value
    return [dict(each._asdict()) if isinstance(each, FindingFact) else each for each in value]


def place(document: Document, line: int) -> tuple[int, int]:
    """Return line and column at which a rule begins in the text of its document."""
    lines = split_lines(document.source) if document.source else []
    if not 0 < line <= len(lines):
        return 0, 0
    text = lines[line - 1]
    return line, len(text) - len(text.lstrip(" -")) + 1


def _item(value: str | FindingFact) -> str:
    if isinstance(value, FindingFact):
        return f"{value.kind} ({value.category}, {value.score}, in {value.place}) x{value[4]}"
    return shown(value)
