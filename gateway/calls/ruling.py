"""Why a policy decided as it did: its rules judged once more, on the recorded facts. Pure.

A record names the versions that held and a hash over all that the decision depended on, but not the
layer of each version. The layers are found by trying: their order is known, and the hash tells.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, combinations_with_replacement
from typing import Any

from policies.pdp import exemption
from policies.pdp.decision import LAYERS, Decision, Layer
from policies.pdp.document import Document, Mode
from policies.pdp.evaluate import FOREVER, EffectivePolicy, Layered, RuleOutcome
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError, split_lines
from policies.pdp.request import (
    DEFAULTS,
    DETECTORS,
    SCHEMAS,
    SLOTS,
    FactValue,
    FindingFact,
    Phase,
)

FINDINGS = frozenset({"findings", "answer.findings"})
EXCERPT_MAX = 60
"""So many lines of a rule are shown at most."""


@dataclass(frozen=True, slots=True)
class Version:
    """A policy version as it is stored: the author's text and the canonical form of it."""

    name: str
    number: int
    source: str
    canonical: str

    @property
    def label(self) -> str:
        """The version as records name it."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class Line:
    """A numbered line of a policy's text."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one rule, and the facts that it read. `line` 0: not known."""

    layer: Layer
    label: str
    rule: str
    line: int
    mode: Mode
    outcome: RuleOutcome
    determining: bool
    facts: tuple[tuple[str, FactValue], ...]
    text: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """One phase judged again. `differs` says how the result is not what was recorded, if so.

    `assumed` names detectors that must have failed for the recorded decision to come out; the
    record does not name them itself.
    """

    phase: Phase
    rules: tuple[Judged, ...]
    differs: str
    assumed: tuple[str, ...]

    @property
    def determining(self) -> tuple[Judged, ...]:
        """The rules that decided."""
        return tuple(rule for rule in self.rules if rule.determining)


class CannotRebuildError(Exception):
    """The policy that decided cannot be put together again; the message says why."""


def rebuild(body: Mapping[str, Any], versions: Iterable[Version]) -> EffectivePolicy:
    """Return the effective policy that a record names, proven by its hash.

    Raises CannotRebuildError.
    """
    stored = {version.label: version for version in versions}
    labels: Sequence[str] = body.get("policies", ())
    missing = [label for label in labels if label not in stored]
    exemptions = [exemption.read(written) for written in body.get("exempting", ())]
    if missing:
        raise CannotRebuildError(f"{', '.join(missing)} is not stored here.")
    try:
        documents = [(stored[label], _document(stored[label])) for label in labels]
        for layered in _arrangements(documents):
            policy = EffectivePolicy(layered, exemptions)
            if any(policy.hash_under(schema) == body.get("policy_hash") for schema in SCHEMAS):
                return policy
    except PolicyError as error:
        raise CannotRebuildError("This version of Gatehouse does not read that text.") from error
    raise CannotRebuildError(
        "The stored versions do not give the recorded hash: the call was decided by another version"
        " of the engine, or a text is not what it was."
    )


def judge(
    phase: Phase,
    body: Mapping[str, Any],
    policy: EffectivePolicy,
    versions: Iterable[Version],
    *,
    at_s: float = FOREVER,
) -> Ruling:
    """Judge the recorded facts of a phase again, and compare with the recorded decision.

    `at_s` is the instant of the call: exemptions that had ended by then do not count.
    """
    slots, recorded = slots_of(body["facts"]), body["decision"]
    failed, assumed = _failed(phase, body, policy, slots, at_s)
    trace = policy.explain(phase, slots, failed, at_s)
    stored = {version.name: version for version in versions if version.label in policy.labels}
    determining = {tuple(ref) for ref in recorded["determining"]}
    rules = tuple(
        Judged(
            layer=rule.ref.layer,
            label=stored[rule.ref.policy].label,
            rule=rule.ref.rule,
            line=rule.line,
            mode=rule.mode,
            outcome=rule.outcome,
            determining=(rule.ref.layer, rule.ref.policy, rule.ref.rule) in determining,
            facts=rule.facts,
            text=excerpt(stored[rule.ref.policy].source, rule.line),
        )
        for rule in trace.rules
    )
    return Ruling(phase, rules, _difference(trace.decision, recorded), assumed)


def slots_of(facts: Mapping[str, Any]) -> list[FactValue]:
    """Return the slot vector of recorded facts: what was not recorded had its default."""
    slots = list(DEFAULTS)
    for name, value in facts.items():
        if name in SLOTS:
            slots[SLOTS[name]] = _fact(name, value)
    return slots


def excerpt(source: str, line: int) -> tuple[Line, ...]:
    """Return the text of the rule that begins at `line`: what is indented below it."""
    lines = split_lines(source)[line - 1 : line - 1 + EXCERPT_MAX] if line else []
    if not lines:
        return ()
    indent = _indent(lines[0])
    within = indent + 1 if lines[0].lstrip().startswith("-") else indent
    kept = lines[:1]
    for text in lines[1:]:
        if text.strip() and _indent(text) < within:
            break
        kept.append(text)
    while not kept[-1].strip():
        kept.pop()
    return tuple(Line(line + offset, text[indent:]) for offset, text in enumerate(kept))


def _document(version: Version) -> Document:
    """Return the document with its lines; those of a text that no longer parses are not known."""
    canonical = version.canonical.encode()
    try:
        written = parse_document(version.source)
    except PolicyError:
        return load_canonical(canonical)
    return written if written.canonical() == canonical else load_canonical(canonical)


def _arrangements(documents: Sequence[tuple[Version, Document]]) -> Iterator[list[Layered]]:
    """Yield every way to cut the list of versions into layers, highest first."""
    count = len(documents)
    for cuts in combinations_with_replacement(range(count + 1), len(LAYERS) - 1):
        layered = [
            Layered(LAYERS[sum(index >= cut for cut in cuts)], version.name, version.number, text)
            for index, (version, text) in enumerate(documents)
        ]
        names = [(LAYERS.index(policy.layer), policy.name) for policy in layered]
        if names == sorted(set(names)):
            yield layered


def _failed(
    phase: Phase,
    body: Mapping[str, Any],
    policy: EffectivePolicy,
    slots: Sequence[FactValue],
    at_s: float,
) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the detectors that failed: as recorded, else the fewest that explain the decision."""
    if "failed" in body:
        return frozenset(body["failed"]), ()
    names = sorted(DETECTORS)
    fewest_first = (combinations(names, size) for size in range(len(names) + 1))
    for failed in map(frozenset, chain.from_iterable(fewest_first)):
        decision = policy.explain(phase, slots, failed, at_s).decision
        if not _difference(decision, body["decision"]):
            return failed, tuple(sorted(failed))
    return frozenset(), ()


def _difference(decision: Decision, recorded: Mapping[str, Any]) -> str:
    """Say in what a decision is not the recorded one; empty where they agree."""
    said: dict[str, Any] = {
        "effect": decision.effect.value,
        "code": decision.code,
        "determining": [[ref.layer, ref.policy, ref.rule] for ref in decision.determining],
        "matched": list(decision.matched),
        "shadow": list(decision.shadow),
        "risk": decision.risk,
        "exemptions": list(decision.exemptions),
    }
    # A record leaves out what is empty.
    different = [name for name, value in said.items() if recorded.get(name, type(value)()) != value]
    return ", ".join(different)


def _fact(name: str, value: Any) -> FactValue:
    if name in FINDINGS:
        return tuple(FindingFact(*item) for item in value)
    return tuple(value) if isinstance(value, list) else value


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
