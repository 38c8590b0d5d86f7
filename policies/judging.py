"""What a text would be as a policy, without storing it: its problems, and what its tests say."""

from dataclasses import dataclass

from policies.pdp.analysis.names import KnownNames, unknown_names
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError, Problem
from policies.pdp.testing import CaseResult, run_cases
from policies.vocabulary import known_kinds


@dataclass(frozen=True, slots=True)
class Judged:
    """A text judged. `tests` are empty where they were not run, or the text cannot be read."""

    policy: str
    hash: str
    rules: int
    problems: tuple[Problem, ...]
    tests: tuple[CaseResult, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong, and no test failed."""
        return not self.problems and all(result.passed for result in self.tests)


def judged(source: str, names: KnownNames | None = None, *, with_tests: bool = True) -> Judged:
    """Judge a text; with `names`, also what it names outside of itself."""
    try:
        document = parse_document(source, known_kinds())
        EffectivePolicy([Layered("tenant", document.name, 0, document)])
    except PolicyError as error:
        return Judged("", "", 0, error.problems, ())
    problems = () if names is None else unknown_names(document, names)
    tests = run_cases(document) if with_tests else ()
    return Judged(document.name, document.hash, len(document.rules), problems, tests)
