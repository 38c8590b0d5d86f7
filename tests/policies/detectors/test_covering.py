"""What lies within another of its kind is told once, however much is found."""

import random

import pytest

from policies.detectors.covering import uncovered
from policies.detectors.custom import CustomDetector
from policies.detectors.finding import Finding, Leaf
from policies.detectors.scanner import CUSTOM, FINDINGS_MAX, DetectorConfig, Scanner
from policies.detectors.verdicts import WEIGHT_MAX, Memory


def some(rng, most):
    found = []
    for _ in range(rng.randrange(most)):
        start = rng.randrange(20)
        end = start + 1 + rng.randrange(6)
        kind, leaf = rng.choice("AB"), rng.randrange(2)
        found.append(Finding(kind, "custom", 1.0, leaf, start, end, "raw"))
    return found


def within(one, other):
    same = (one.leaf, one.kind) == (other.leaf, other.kind)
    return same and other.start <= one.start and one.end <= other.end


@pytest.mark.parametrize("seed", range(300))
def test_it_is_what_looking_at_every_pair_says(seed):
    rng = random.Random(seed)
    known, new = some(rng, 8), list(dict.fromkeys(some(rng, 12)))
    left = uncovered(known, new)
    assert left == [one for one in new if one in left]
    for one in new:  # what is left out lies in something that is told; what is told, in nothing
        assert one in left or any(within(one, other) for other in (*known, *left))
    for index, one in enumerate(left):
        assert not any(within(one, other) for other in (*known, *left[:index], *left[index + 1 :]))


def test_many_are_no_more_work_than_they_are():
    found = [Finding("A", "custom", 1.0, 0, 2 * at, 2 * at + 1, "raw") for at in range(100_000)]
    assert uncovered(found, found) == []
    assert uncovered([], [*found, *found]) == found
    assert len(uncovered([], found)) == len(found)


def test_too_many_findings_are_a_failure_of_their_detector_alone():
    scanner = Scanner(DetectorConfig(custom=(CustomDetector("LETTER", words=("a",)),)))
    text = "a " * 6_000
    leaves = [Leaf(text, "user", ""), Leaf(text, "user", "")]
    scan = scanner.scan(leaves, frozenset({CUSTOM, "secrets"}))
    assert scan.failed == {CUSTOM}
    assert len(scan.findings) == FINDINGS_MAX
    few = scanner.scan(leaves[:1], frozenset({CUSTOM}))
    assert (len(few.findings), few.failed) == (6_000, frozenset())


def test_a_verdict_that_weighs_much_is_not_kept():
    memory = Memory()
    one = Finding("A", "custom", 1.0, 0, 0, 1, "raw")
    memory.keep("light", (one,) * WEIGHT_MAX)
    memory.keep("heavy", (one,) * (WEIGHT_MAX + 1))
    assert memory.known("light") is not None
    assert memory.known("heavy") is None
