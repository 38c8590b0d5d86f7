"""Sentences of a policy that may name facts: `{pii.kinds}` becomes their value. Pure.

Only the names of facts are understood between braces; `{{` and `}}` stand for the braces
themselves. Nothing is evaluated.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.pdp.expression.tokens import ExpressionError
from policies.pdp.problem import closest
from policies.pdp.request import FACTS, SLOTS, FactValue, Phase

MESSAGE_LENGTH_MAX = 500
VALUE_LENGTH_MAX = 200
"""What is longer is cut: a client may have declared it."""

_PART = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|(?P<stray>[{}])")
_BRACE_HINT = "write {{ or }} for a brace"


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence. Every second part of `parts` is the name of a fact, the others are text."""

    text: str
    parts: tuple[str, ...] = field(repr=False)

    @property
    def facts(self) -> tuple[str, ...]:
        """The names of the facts that the sentence shows."""
        return self.parts[1::2]

    def render(self, slots: Sequence[FactValue]) -> str:
        """Return the sentence with the values of its facts."""
        shown = list(self.parts)
        for index in range(1, len(shown), 2):
            shown[index] = _show(slots[SLOTS[shown[index]]])
        return "".join(shown)


def plain(text: str) -> Message:
    """Return a message of ours that shows no fact."""
    return Message(text, (text,))


def parse_message(text: str, phase: Phase) -> Message:
    """Return the message of a rule of this phase; raise ExpressionError at the first fault."""
    parts = [""]
    offset = 0
    for match in _PART.finditer(text):
        parts[-1] += text[offset : match.start()]
        offset = match.end()
        if match["name"] is not None:
            parts += [_fact_name(match, phase), ""]
        elif match["stray"]:
            raise ExpressionError(match.start(), "a brace stands alone", _BRACE_HINT)
        else:
            parts[-1] += match.group()[0]
    parts[-1] += text[offset:]
    return Message(text, tuple(parts))


def _fact_name(match: re.Match[str], phase: Phase) -> str:
    name, at = match["name"], match.start("name")
    if name not in FACTS:
        hint = closest(name, FACTS) or _BRACE_HINT
        raise ExpressionError(at, f'unknown fact "{name[:64]}" between braces', hint)
    if FACTS[name].type == "list<finding>":
        raise ExpressionError(at, f"{name} cannot be shown", "show pii.kinds, for example")
    if phase == "request" and FACTS[name].phase == "answer":
        raise ExpressionError(at, *not_yet_known(name))
    return name


def not_yet_known(name: str) -> tuple[str, str]:
    """Return message and hint for a fact of the answer in a rule of the request phase."""
    return f"{name} is not known in the request phase", "add phase: answer"


def _show(value: FactValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value) if isinstance(value, int | float | str) else ", ".join(map(str, value))
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"
