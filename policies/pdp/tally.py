"""The sum of a back-test: bounded, however many calls it went through. Pure."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from policies.pdp.backtest import Compared, Lacking
from policies.pdp.decision import Decision
from policies.pdp.rollout import Change

CHANGES: tuple[Change, ...] = (
    "newly_denied", "newly_permitted", "other_reason", "other_obligations", "same",
)  # fmt: skip
NAMES_MAX = 200
"""So many apps, keys, models and rules are told apart; calls of others are counted together."""

EXAMPLES_MAX = 20
LACKING_MAX = 50
OTHERS = "(others)"


class Caller(NamedTuple):
    """What a call is grouped by, and what names it. `elsewhere` is the code of what refused it
    beside the policy: a budget, a limit, an outage."""

    id: str
    at: str
    app: str
    key: str
    model: str
    elsewhere: str = ""
    currency: str = ""
    micros: int = 0


class Tally:
    """Counts calls by change, app, key, model and rule, and keeps the newest of each change."""

    def __init__(self) -> None:
        self.calls = self.compared = self.refused_anyway = 0
        self.changes: Counter[str] = Counter()
        self.lacking: Counter[str] = Counter()
        self.micros: Counter[str] = Counter()
        self._by: dict[str, dict[str, Counter[str]]] = {
            name: {} for name in ("app", "key", "model", "rule")
        }
        self._examples: dict[Change, deque[dict[str, Any]]] = {
            kind: deque(maxlen=EXAMPLES_MAX) for kind in CHANGES if kind != "same"
        }

    def add(self, caller: Caller, found: Compared | Lacking) -> None:
        """Count a call. Calls come in the order of their arrival."""
        self.calls += 1
        if isinstance(found, Lacking):
            self._lack(", ".join(found.facts))
            return
        self.compared += 1
        self.changes[found.change] += 1
        for name, value in (("app", caller.app), ("key", caller.key), ("model", caller.model)):
            self._count(name, value, found.change)
        if found.change == "same":
            return
        rule = telling_rule(found)
        self._count("rule", rule, found.change)
        self._examples[found.change].append(_example(caller, found, rule))
        if found.change == "newly_denied":
            self.refused_anyway += bool(caller.elsewhere)
            if caller.micros:
                self.micros[caller.currency] += caller.micros

    def written(self) -> dict[str, Any]:
        """Return the sum as JSON; what is newest comes first."""
        return {
            "calls": self.calls,
            "compared": self.compared,
            "not_comparable": sum(self.lacking.values()),
            "lacking": [
                {"facts": facts, "calls": count} for facts, count in self.lacking.most_common()
            ],
            "changes": {kind: self.changes[kind] for kind in CHANGES},
            "refused_anyway": self.refused_anyway,
            "cost_micros": dict(self.micros),
            **{f"by_{name}": _sorted(table) for name, table in self._by.items()},
            "examples": {kind: list(reversed(kept)) for kind, kept in self._examples.items()},
        }

    def _lack(self, why: str) -> None:
        known = why in self.lacking or len(self.lacking) < LACKING_MAX
        self.lacking[why if known else OTHERS] += 1

    def _count(self, name: str, value: str, kind: Change) -> None:
        table = self._by[name]
        if value not in table and len(table) >= NAMES_MAX:
            value = OTHERS
        table.setdefault(value, Counter())[kind] += 1


def telling_rule(found: Compared) -> str:
    """Return the rule, as "policy/rule", that makes the difference; "" where none is one's own."""
    if found.change == "newly_permitted":
        return _first(found.before)
    if found.change != "other_obligations":
        return _first(found.after)
    own = [ref for ref in found.after.determining if ref not in found.before.determining]
    gone = [ref for ref in found.before.determining if ref not in found.after.determining]
    return str((own or gone)[0]) if own or gone else _first(found.after)


def _first(decision: Decision) -> str:
    return str(decision.determining[0]) if decision.determining else ""


def _example(caller: Caller, found: Compared, rule: str) -> dict[str, Any]:
    return {
        "call": caller.id,
        "at": caller.at,
        "app": caller.app,
        "key": caller.key,
        "model": caller.model,
        "phase": found.phase,
        "rule": rule,
        "before": _said(found.before),
        "after": _said(found.after),
    }


def _said(decision: Decision) -> str:
    """Return a decision in a word: what it denies by, or what it demands."""
    if not decision.permitted:
        return f"deny {_first(decision)}"
    return " ".join(["permit", *(item.key for item in decision.obligations)])


def _sorted(table: Mapping[str, Counter[str]]) -> list[dict[str, Any]]:
    """Return rows, those with most differences first."""
    rows = [
        {"name": name, "calls": counts.total(), **{kind: counts[kind] for kind in CHANGES}}
        for name, counts in table.items()
    ]
    return sorted(rows, key=lambda row: (row["same"] - row["calls"], -row["calls"], row["name"]))
