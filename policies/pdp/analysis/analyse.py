"""Everything that is wrong with policies although they compile. Pure, deterministic, bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from policies.pdp.analysis.finding import Finding, Report
from policies.pdp.analysis.meeting import meetings
from policies.pdp.analysis.single import singles
from policies.pdp.analysis.standing import standings
from policies.pdp.analysis.view import Asker, View, steps_for
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.rules import PHASES


@dataclass(frozen=True, slots=True)
class Hits:
    """How often each rule ("policy/rule") matched in so many days."""

    days: int
    counts: Mapping[str, int] = field(default_factory=dict)


def analyse(
    policy: EffectivePolicy, hits: Hits | None = None, steps_max: int | None = None
) -> Report:
    """Return what is wrong with an effective policy.

    Exemptions are not looked at: they end, and the rules stay.
    """
    found: list[Finding] = []
    most = steps_for(policy) if steps_max is None else steps_max
    steps = undecided = 0
    for phase in PHASES:
        view = View(policy, phase)
        asker = Asker([view.risks] if phase == "request" else (), most - steps)
        found += _phase(view, asker, hits)
        steps += asker.steps
        undecided += asker.undecided
    if undecided:
        found.append(_bounded(undecided))
    return Report(tuple(sorted(found, key=_order)), steps, undecided)


def analyse_document(
    document: Document, hits: Hits | None = None, steps_max: int | None = None
) -> Report:
    """Return what is wrong with one policy, taken alone."""
    policy = EffectivePolicy([Layered("tenant", document.name, 0, document)])
    return analyse(policy, hits, steps_max)


def _phase(view: View, asker: Asker, hits: Hits | None) -> Iterator[Finding]:
    sound, found = singles(view, asker)
    yield from found
    yield from meetings(view, asker, sound)
    yield from standings(view, asker, sound)
    if hits is not None:
        yield from _silent(view, hits, found)


def _silent(view: View, hits: Hits, found: list[Finding]) -> Iterator[Finding]:
    """Yield the rules that could match, and have not."""
    told = {finding.rules[0] for finding in found}
    for item in view.enforced:
        if item.ref not in told and not hits.counts.get(str(item.ref)):
            words = f"{item.ref} has not matched a call in {hits.days} days"
            yield view.finding("never_fired", "note", words, [item])


def _bounded(undecided: int) -> Finding:
    words = f"{undecided} question(s) were left without an answer: nothing is claimed of them"
    return Finding("not_decided", "note", words, reason="the bound on work was reached")


def _order(finding: Finding) -> tuple[object, ...]:
    first = finding.rules[0] if finding.rules else None
    where = (first.layer, first.policy) if first else ("", "")
    return (*where, finding.line, finding.column, finding.kind, finding.words)
