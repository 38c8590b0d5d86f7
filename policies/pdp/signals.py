"""Facts that cost something to make: they are made where a rule reads them. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

_OF: Mapping[str, str] = {
    "budget.used_percent": "counters",
    "budget.remaining_micros": "counters",
    "budget.age_ms": "counters",
    "rate.used_percent": "counters",
    "rate.age_ms": "counters",
    "call.tool_hosts": "hosts",
    "answer.tainted_hosts": "hosts",
    "answer.tool_faults": "faults",
    "answer.echo_percent": "echo",
}


class Signals(NamedTuple):
    """Which of them are made: what counters told last, the hosts that tools named, what is wrong
    with calls of tools, how much of the system prompt is repeated."""

    counters: bool = False
    hosts: bool = False
    faults: bool = False
    echo: bool = False

    def has(self, fact: str) -> bool:
        """Tell whether a fact is made: any that costs nothing is."""
        name = _OF.get(fact)
        return name is None or bool(getattr(self, name))


NO_SIGNALS = Signals()


def signals_of(reads: Iterable[str]) -> Signals:
    """Return which are made where these facts are read."""
    named = {_OF[fact] for fact in reads if fact in _OF}
    return Signals(*(name in named for name in Signals._fields))
