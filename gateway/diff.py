"""What differs between two versions of a policy: in words first, then line by line. Pure."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from policies.pdp.document import Document, Rule
from policies.pdp.obligations import KINDS

LINES_MAX = 2_000
"""In a longer text, lines that stand there very often tell nothing of what was moved: to compare
each of them with each would take for ever."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of one text or of both: `look` is added, removed or nothing."""

    look: str
    sign: str
    number: int
    text: str


def lines(before: str, after: str) -> list[Line]:
    """Return the lines of both texts; numbers are those of the text that a line stands in."""
    return list(_walk(before.splitlines(), after.splitlines()))


def _walk(before: list[str], after: list[str]) -> Iterator[Line]:
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=len(after) > LINES_MAX)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind == "equal":
            yield from (Line("", " ", j + 1, after[j]) for j in range(j1, j2))
        else:
            yield from (Line("removed", "-", i + 1, before[i]) for i in range(i1, i2))
            yield from (Line("added", "+", j + 1, after[j]) for j in range(j1, j2))


def words(before: Document, after: Document) -> list[str]:
    """Return what the change means: rules that come, go or differ, and another default."""
    old, new = ({rule.id: rule for rule in side.rules} for side in (before, after))
    told = [f"adds the rule {name}" for name in new if name not in old]
    told += [f"removes the rule {name}" for name in old if name not in new]
    told += [
        f"changes the rule {name}: {_changed(old[name], new[name])}"
        for name in new
        if name in old and old[name] != new[name]
    ]
    if before.default_permit != after.default_permit:
        told.append(f"changes the default to {'permit' if after.default_permit else 'deny'}")
    return told or ["no rule differs: only names, comments or tests do"]


def _changed(old: Rule, new: Rule) -> str:
    parts = {
        "when": "its condition",
        "mode": "its mode",
        "deny": "its refusal",
        "permit": "whether it permits",
        "risk": "its risk",
        "phase": "its phase",
        "on_error": "what it does on an error",
    }
    told = [said for name, said in parts.items() if getattr(old, name) != getattr(new, name)]
    told += [f"its {kind.key}" for kind in KINDS if old.demand(kind) != new.demand(kind)]
    return ", ".join(told)
