"""What the console shows of a text before it is published: nothing is stored by it."""

from dataclasses import dataclass

from policies.models import Policy
from policies.pdp.analysis.analyse import analyse_document
from policies.pdp.analysis.diff import Difference, compare_documents
from policies.pdp.analysis.finding import Report
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.problem import PolicyError, Problem


@dataclass(frozen=True, slots=True)
class Preview:
    """A text that was looked at: faults, or findings and what differs from the active version."""

    problems: tuple[Problem, ...] = ()
    report: Report | None = None
    difference: Difference | None = None


def preview(policy: Policy, source: str) -> Preview:
    """Look at a text of a policy."""
    try:
        document = parse_document(source)
    except PolicyError as error:
        return Preview(error.problems)
    active = policy.active
    difference = None
    if active is not None:
        difference = compare_documents(load_canonical(active.canonical.encode()), document)
    return Preview((), analyse_document(document), difference)
