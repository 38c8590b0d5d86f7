"""How facts hang together: what can be, and how an example is made whole."""

from random import Random

import pytest

from gateway.proxy import facts
from policies.detectors.finding import Finding, Leaf, Scan
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact
from policies.pdp.solver.domain import GROUPS, coherent, complete, group_of, laws
from tests.policies.pdp.random_facts import possible_slots

_LEAVES = [Leaf("x", "user", "messages[0]"), Leaf("y", "tool", "messages[1]")]


def _slots(**values):
    slots = list(DEFAULTS)
    for name, value in values.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return slots


@pytest.mark.parametrize("seed", range(40))
def test_what_the_gateway_makes_of_findings_hangs_together(seed):
    rng = Random(seed)
    found = tuple(
        Finding(
            rng.choice(["A", "B", "C"]),
            rng.choice(["pii", "secret", "injection", "custom", "link", "error"]),
            rng.choice([0.1, 0.4, 0.85, 1.0]),
            rng.randint(0, 1),
            0,
            1,
            "raw",
        )
        for _ in range(rng.randint(0, 6))
    )
    slots = list(DEFAULTS)
    facts.add_scan(slots, Scan(found, frozenset()), _LEAVES)
    assert coherent(slots)
    names = frozenset({"findings", "answer.findings"})
    assert all(evaluate(law, slots) for law in laws(names))


@pytest.mark.parametrize("seed", range(20))
def test_the_laws_hold_for_all_facts_that_can_be(seed):
    slots = possible_slots(Random(seed))
    assert all(evaluate(law, slots) for law in laws(frozenset({"findings", "answer.findings"})))


@pytest.mark.parametrize(
    "slots",
    [
        _slots(pii__count=1),
        _slots(pii__kinds=("A",)),
        _slots(secret__max_score=0.5),
        _slots(injection__score=0.5),
        _slots(findings=(FindingFact("A", "pii", 1.0, "user", 1),)),
    ],
)
def test_facts_that_tell_different_things_cannot_be(slots):
    assert not coherent(slots)
    assert coherent(complete(slots, frozenset({"findings"})))
    assert coherent(complete(slots, frozenset()))


def test_what_is_fixed_stays():
    slots = complete(_slots(pii__count=3, pii__kinds=("A", "B")), frozenset({"pii.count"}))
    assert slots[SLOTS["pii.count"]] == 3
    assert slots[SLOTS["pii.max_score"]] == 1.0
    assert [finding[4] for finding in slots[SLOTS["findings"]]] == [2, 1]
    assert coherent(slots)


def test_laws_are_those_of_the_groups_that_are_read():
    assert laws(frozenset({"call.n"})) == ()
    assert len(laws(frozenset({"pii.kinds"}))) < len(laws(frozenset({"findings"})))


def test_facts_that_hang_together_have_one_name():
    assert {group_of(name) for group in GROUPS[:3] for name in group.facts} == {"findings"}
    assert group_of("call.n") == "call.n"
