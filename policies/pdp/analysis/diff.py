"""What differs between two policies: rule by rule in words, each with a call that shows it, and
whether the whole only tightens, only loosens, does both, or decides the same. Pure.

To tighten is to deny more, or to demand more of what is permitted, while the detectors work. Where
a call is sent, defaults, words, tags, notices and rules in shadow weigh nothing. A verdict is
proven, or it says that it is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from policies.pdp.analysis.changes import said
from policies.pdp.analysis.finding import Witness, witness
from policies.pdp.analysis.strictness import UNORDERED, Direction, direction, looser
from policies.pdp.analysis.view import Asker, Denial, View, steps_for
from policies.pdp.combine import BoundRule
from policies.pdp.decision import RuleRef
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.obligations import Json, Obligation
from policies.pdp.request import Phase
from policies.pdp.rules import PHASES
from policies.pdp.solver.goal import Goal

Verdict = Literal["same", "tightens", "loosens", "both", "not_proven"]

VERDICTS: dict[Verdict, str] = {
    "same": "Nothing more is denied or demanded, and nothing less.",
    "tightens": "It only tightens: nothing that was denied or demanded is given up.",
    "loosens": "It only loosens: nothing is denied or demanded that was not before.",
    "both": "It tightens for some calls and loosens for others.",
    "not_proven": "Whether it only tightens or also loosens is not proven.",
}


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What became of one rule. `example` is a call on which its condition is judged otherwise, or
    which it now judges, or did."""

    kind: Literal["added", "removed", "changed", "default"]
    ref: RuleRef
    words: str
    example: Witness | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A call that is decided otherwise, and how."""

    phase: Phase
    direction: Direction
    words: str
    witness: Witness


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes of rules, calls that are decided otherwise, and the verdict."""

    verdict: Verdict
    changes: tuple[RuleChange, ...]
    examples: tuple[Example, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Everything as sentences."""
        told = [change.words for change in self.changes] or ["No rule differs."]
        told += [f"{example.words}: {example.witness.words}." for example in self.examples]
        return (*told, VERDICTS[self.verdict])

    def written(self) -> dict[str, Json]:
        """Return it as data."""
        return {
            "verdict": self.verdict,
            "words": list[Json](self.words),
            "changes": [
                {
                    "kind": change.kind,
                    "rule": {
                        "layer": change.ref.layer,
                        "policy": change.ref.policy,
                        "rule": change.ref.rule,
                    },
                    "words": change.words,
                    "witness": change.example.written() if change.example else None,
                }
                for change in self.changes
            ],
            "examples": [
                {
                    "phase": example.phase,
                    "direction": example.direction,
                    "words": example.words,
                    "witness": example.witness.written(),
                }
                for example in self.examples
            ],
        }


def compare_documents(before: Document, after: Document) -> Difference:
    """Compare two texts of one policy, each taken alone."""
    old, new = (
        EffectivePolicy([Layered("tenant", document.name, 0, document)])
        for document in (before, after)
    )
    return compare(old, new)


def compare(before: EffectivePolicy, after: EffectivePolicy) -> Difference:
    """Compare two effective policies; exemptions are not looked at."""
    steps = steps_for(before) + steps_for(after)
    changes: list[RuleChange] = []
    examples: list[Example] = []
    is_proven = {"tighter": True, "looser": True}
    ways: tuple[Direction, ...] = ("tighter", "looser")
    for phase in PHASES:
        pair = _Pair(before, after, phase, steps)
        changes += pair.changes()
        for way in ways:
            found = pair.moved(way)
            examples += found.examples
            is_proven[way] &= found.is_proven
    changes += _defaults(before, after)
    ordered = sorted(changes, key=lambda change: (change.ref.policy, change.kind, change.words))
    return Difference(_verdict(examples, is_proven), tuple(ordered), tuple(examples))


def _verdict(examples: Sequence[Example], is_proven: dict[str, bool]) -> Verdict:
    """An example shows that a way is gone; only a proof shows that it is not."""
    shown_ways = {example.direction for example in examples}
    if {"tighter", "looser"} <= shown_ways:
        return "both"
    if not all(is_proven[way] for way in ("tighter", "looser") if way not in shown_ways):
        return "not_proven"
    if "tighter" in shown_ways:
        return "tightens"
    return "loosens" if "looser" in shown_ways else "same"


@dataclass(slots=True)
class _Moved:
    """Examples of one way, and whether all that has none is proven to have none."""

    way: Direction
    examples: list[Example] = field(default_factory=list)
    is_proven: bool = True


class _Pair:
    """Two effective policies in one phase: side 0 was, side 1 is."""

    def __init__(
        self, before: EffectivePolicy, after: EffectivePolicy, phase: Phase, steps: int
    ) -> None:
        self.phase = phase
        self.views = (View(before, phase, 0), View(after, phase, 1))
        risks = [view.risks for view in self.views]
        self.asker = Asker(risks if phase == "request" else (), steps)
        adding = [View(policy, "request").risks for policy in (before, after)]
        self.is_risk_same = adding[0] == adding[1]

    def changes(self) -> Iterator[RuleChange]:
        """Yield what became of each rule, in the order of the new text."""
        old, new = ({item.ref: item for item in view.everything} for view in self.views)
        for ref, item in new.items():
            if ref not in old:
                yield RuleChange("added", ref, *self._told(item, "Adds the rule", 1))
            elif old[ref].rule != item.rule:
                yield self._changed(old[ref], item)
        for ref, item in old.items():
            if ref not in new:
                yield RuleChange("removed", ref, *self._told(item, "Removes the rule", 0))

    def moved(self, way: Direction) -> _Moved:
        """Look for calls that one side denies or demands more of than the other.

        What is `looser` was denied or demanded before; what is `tighter` is so now.
        """
        strict, lax = self.views if way == "looser" else (self.views[1], self.views[0])
        moved = _Moved(way, is_proven=_fails_closed(strict) <= _fails_closed(lax))
        moved.is_proven &= self.is_risk_same or self.phase == "request" or not _reads_risk(strict)
        for cause in strict.causes:
            if not self.is_risk_same or cause not in lax.causes:
                goal = strict.goal(cause.when)
                said = "Newly permitted" if way == "looser" else "Newly denied"
                self._look(moved, goal, lax.denials(), f"{said} ({cause.ref})")
        for item in strict.enforced:
            for obligation in item.rule.obligations:
                if not isinstance(obligation, UNORDERED):
                    self._demand(moved, item, obligation, (strict, lax))
        return moved

    def _demand(
        self, moved: _Moved, item: BoundRule, obligation: Obligation, views: tuple[View, View]
    ) -> None:
        """Look for a call of which a rule demands what the other side does not."""
        strict, lax = views
        kept = [other for other in lax.enforced if not looser(other.rule, obligation)]
        same = any(each.ref == item.ref and each.rule.when == item.rule.when for each in kept)
        if same and (self.is_risk_same or "risk" not in item.reads):
            return
        denials = [*strict.denials(), *lax.denials(), *map(lax.condition, kept)]
        said = "Less is demanded" if moved.way == "looser" else "More is demanded"
        words = f"{said} ({item.ref}, {obligation.key})"
        self._look(moved, strict.goal(item.rule.when), denials, words)

    def _look(self, moved: _Moved, goal: Goal, denials: Sequence[Denial], words: str) -> None:
        """Ask, and keep an example where whole decisions bear it out: demands add up."""
        answer = self.asker.permitted([goal], denials).answer
        if answer.found != "yes":
            moved.is_proven &= answer.found == "no"
            return
        old, new = (view.policy.decide(self.phase, answer.slots) for view in self.views)
        if moved.way not in direction(old, new):
            moved.is_proven = False
            return
        reads = frozenset(self.views[goal.side].reads(goal.expression)) - {"risk"}
        told = witness(answer.slots, reads)
        moved.examples.append(Example(self.phase, moved.way, words, told))

    def _told(self, item: BoundRule, verb: str, side: int) -> tuple[str, Witness | None]:
        found = self.asker.ask([self.views[side].goal(item.rule.when)])
        told = None
        if found.found == "yes":
            told = witness(found.slots, self.views[side].reads(item.rule.when))
        example = f", as for {told.words}" if told and told.facts else ""
        return f"{verb} {item.ref}: {said(item.rule)}{example}.", told

    def _changed(self, old: BoundRule, new: BoundRule) -> RuleChange:
        parts, example = said(new.rule, old.rule), None
        if old.rule.when != new.rule.when:
            for side, verb in ((1, "now matches"), (0, "no longer matches")):
                goals = [
                    Goal(new.rule.when, holds=side == 1, side=1),
                    Goal(old.rule.when, holds=side == 0, side=0),
                ]
                found = self.asker.ask(goals)
                if found.found == "yes":
                    reads = {
                        *self.views[0].reads(old.rule.when),
                        *self.views[1].reads(new.rule.when),
                    }
                    reads -= {"risk"}
                    told = witness(found.slots, reads)
                    parts += f"; {verb}, for example, {told.words}"
                    example = example or told
        return RuleChange("changed", new.ref, f"Changes the rule {new.ref}: {parts}.", example)


def _fails_closed(view: View) -> frozenset[str]:
    """Return the detectors whose failure denies."""
    closed = (item.detectors for item in view.enforced if item.rule.on_error == "deny")
    return frozenset[str]().union(*closed)


def _reads_risk(view: View) -> bool:
    return any("risk" in item.reads for item in view.enforced)


def _defaults(before: EffectivePolicy, after: EffectivePolicy) -> Iterator[RuleChange]:
    old = {(each.layer, each.name): each.document for each in before.layered}
    for each in after.layered:
        earlier = old.get((each.layer, each.name))
        if earlier is not None and earlier.default_permit != each.document.default_permit:
            value = "permit" if each.document.default_permit else "deny"
            words = f"Changes the default of {each.name} to {value}."
            yield RuleChange("default", each.ref("default"), words)
