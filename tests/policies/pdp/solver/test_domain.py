"""How facts hang together: what can be, and how an example is made whole."""

from random import Random

import pytest

from gateway.proxy import facts
from policies.detectors.finding import Finding, Leaf, Scan
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.parser import parse_condition
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact
from policies.pdp.solver.domain import GROUPS, coherent, complete, group_of, laws
from policies.pdp.solver.solve import ask
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
    read = frozenset({"findings", "answer.findings", "budget.age_ms", "rate.age_ms"})
    assert all(evaluate(law, slots) for law in laws(read))


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


@pytest.mark.parametrize(
    ("slots", "fixed"),
    [
        (_slots(budget__used_percent=40), {"budget.used_percent"}),
        (_slots(budget__used_percent=100), {"budget.used_percent"}),
        (_slots(budget__remaining_micros=7), {"budget.remaining_micros"}),
        (_slots(budget__age_ms=9), {"budget.age_ms"}),
        (_slots(budget__used_percent=40, budget__age_ms=9), {"budget.age_ms"}),
        (_slots(rate__used_percent=3), {"rate.used_percent"}),
        (_slots(rate__used_percent=3), {"rate.age_ms"}),
    ],
)
def test_what_was_never_seen_of_a_counter_is_nothing(slots, fixed):
    assert not coherent(slots)
    whole = complete(slots, frozenset(fixed))
    assert coherent(whole)
    assert all(whole[SLOTS[name]] == slots[SLOTS[name]] for name in fixed)


def test_no_budget_is_used_up_and_has_something_left():
    used_up = parse_condition("budget.used_percent == 100 && budget.remaining_micros > 5")
    assert ask(used_up).found == "no"
    unseen = parse_condition("budget.age_ms < 0 && budget.used_percent > 5")
    assert ask(unseen).found == "no"
    assert ask(parse_condition("rate.used_percent > 100")).found == "no"
    answer = ask(parse_condition("budget.used_percent > 90 && rate.used_percent == 5"))
    assert answer.found == "yes"
    assert coherent(answer.slots)


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
    assert group_of("budget.remaining_micros") == group_of("budget.age_ms") == "budget.age_ms"
