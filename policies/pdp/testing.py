"""Runs the tests that a document carries, on that document alone. Pure."""

from dataclasses import dataclass

from policies.pdp.decision import Decision
from policies.pdp.document import Case, Document, Expectation
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.obligations import Cap, Obligation, Redact, RouteTo
from policies.pdp.request import DEFAULTS, SLOTS


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test: what it expected and what it got, in words; `line` is where it stands."""

    name: str
    passed: bool
    expected: str
    got: str
    line: int


def run_cases(document: Document) -> tuple[CaseResult, ...]:
    """Return the result of each test of the document, in its order."""
    policy = EffectivePolicy([Layered("tenant", document.name, 0, document)])
    return tuple(_run(policy, case) for case in document.tests)


def _run(policy: EffectivePolicy, case: Case) -> CaseResult:
    slots = list(DEFAULTS)
    for name, value in case.given:
        slots[SLOTS[name]] = value
    decision = policy.decide(case.phase, slots)
    expected = _expected(case.expect)
    got = _got(decision)
    met = {*got, *(_obliged(item.key) for item in decision.obligations)}
    passed = met.issuperset(expected)
    return CaseResult(case.name, passed, ", ".join(expected), ", ".join(got), case.line)


def _expected(expect: Expectation) -> list[str]:
    """Return the expectation as sentences, worded as in `_got`."""
    if expect.deny is not None:
        return [f"deny by {expect.deny}"]
    parts = ["permit"]
    if expect.redact is not None:
        parts.append(_redact(expect.redact))
    if expect.route is not None:
        parts.append(f"route {expect.route}")
    if expect.cap is not None:
        parts.append(f"cap {expect.cap}")
    return [*parts, *map(_obliged, sorted(expect.obliges))]


def _got(decision: Decision) -> list[str]:
    if not decision.permitted:
        return [f"deny by {ref.rule}" for ref in decision.determining]
    return ["permit", *map(_said, decision.obligations)]


def _said(obligation: Obligation) -> str:
    if isinstance(obligation, Redact) and obligation.kinds is not None:
        return _redact(obligation.kinds)
    if isinstance(obligation, Cap) and obligation.max_output_tokens is not None:
        return f"cap {obligation.max_output_tokens}"
    if isinstance(obligation, RouteTo):
        return f"route {obligation.model}"
    return _obliged(obligation.key)


def _obliged(key: str) -> str:
    return f"with {key}"


def _redact(kinds: frozenset[str]) -> str:
    return f"redact {' '.join(sorted(kinds)) or 'all'}"
