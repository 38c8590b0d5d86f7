"""What the console shows of a text before it is published: nothing is stored by it."""

from dataclasses import dataclass

from django.utils import timezone

from audit.actor import Actor
from policies.analysed import Within, analysed
from policies.models import Policy
from policies.pdp.analysis.diff import Difference, compare_documents
from policies.pdp.analysis.finding import Report
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError, Problem
from policies.versions import check_names
from policies.vocabulary import known_kinds, names_for


@dataclass(frozen=True, slots=True)
class Preview:
    """A text that was looked at: faults, or findings and what differs from the active version."""

    problems: tuple[Problem, ...] = ()
    report: Report | None = None
    difference: Difference | None = None
    within: tuple[Within, ...] = ()
    is_partial: bool = False


def preview(actor: Actor, policy: Policy, source: str) -> Preview:
    """Look at a text of a policy, where it would hold too."""
    try:
        document = parse_document(source, known_kinds())
        check_names(document, names_for(actor))
    except PolicyError as error:
        return Preview(error.problems)
    active = policy.active
    difference = None
    if active is not None:
        difference = compare_documents(load_canonical(active.canonical.encode()), document)
    found = analysed(actor, policy, document, timezone.now())
    return Preview((), found.report, difference, found.within, not found.is_whole)
