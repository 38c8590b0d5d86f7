"""Exemptions keep rules out, for whom and as long as they say, and are named where they did."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.exemption import Exemption, exempt, read
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, SLOTS
from tests.policies.pdp.random_conditions import random_slots
from tests.policies.pdp.random_documents import random_layers

NOW, LATER = 50.0, 100
TEXT = """
policy: p
default: permit
rules:
  - {id: closed, when: call.stream, deny: {message: No}}
  - {id: adds, when: true, risk: 80}
  - {id: risky, when: risk >= 80, deny: {message: Too risky.}}
  - {id: unsure, when: pii.count > 5, deny: {message: Found.}}
"""


def _policy(*exemptions: Exemption, text: str = TEXT) -> EffectivePolicy:
    return EffectivePolicy([Layered("tenant", "p", 1, parse_document(text))], exemptions)


def _for(*rules: str, **scope) -> Exemption:
    return Exemption("e-1", frozenset(rules), LATER, **scope)


def _slots(**facts) -> list:
    slots = list(DEFAULTS)
    for name, value in {"app__name": "a", "key__id": "k", **facts}.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return slots


def test_an_exempt_rule_takes_no_part_and_the_exemption_is_named():
    policy = _policy(_for("p/closed", "p/adds"))
    decision = policy.decide("request", _slots(call__stream=True), at_s=NOW)
    assert decision.permitted
    assert (decision.matched, decision.risk) == ((), 0)
    assert decision.exemptions == ("e-1",)
    assert policy.explain("request", _slots(call__stream=True), at_s=NOW).decision == decision


def test_a_rule_that_would_not_have_matched_names_nothing():
    policy = _policy(_for("p/closed"))
    decision = policy.decide("request", _slots(), at_s=NOW)
    assert decision.exemptions == ()
    assert [str(ref) for ref in decision.determining] == ["p/risky"]


def test_a_rule_that_adds_risk_adds_none_where_it_is_exempt():
    policy = _policy(_for("p/adds"))
    decision = policy.decide("request", _slots(), at_s=NOW)
    assert decision.permitted
    assert decision.exemptions == ("e-1",)


@pytest.mark.parametrize("at_s", [float(LATER), LATER + 1.0, float("inf")])
def test_an_exemption_ends(at_s):
    assert not _policy(_for("p/adds")).decide("request", _slots(), at_s=at_s).permitted
    assert not _policy(_for("p/adds")).decide("request", _slots()).permitted


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({}, True),
        ({"apps": frozenset({"a"})}, True),
        ({"apps": frozenset({"b"})}, False),
        ({"keys": frozenset({"k"})}, True),
        ({"keys": frozenset({"l"})}, False),
        ({"apps": frozenset({"a"}), "keys": frozenset({"l"})}, False),
    ],
)
def test_an_exemption_is_for_whom_it_names(scope, covered):
    assert (
        _policy(_for("p/adds", **scope)).decide("request", _slots(), at_s=NOW).permitted is covered
    )


def test_a_default_that_denies_can_be_exempt_from():
    closed = "policy: p\nrules: []"
    decision = _policy(_for("p/default"), text=closed).decide("request", _slots(), at_s=NOW)
    assert decision.permitted
    assert decision.exemptions == ("e-1",)
    assert not _policy(text=closed).decide("request", _slots(), at_s=NOW).permitted


def test_a_rule_that_depends_on_a_failed_detector_can_be_exempt_too():
    policy = _policy(_for("p/unsure", "p/risky"))
    decision = policy.decide("request", _slots(), frozenset({"pii"}), at_s=NOW)
    assert decision.permitted
    assert decision.exemptions == ("e-1",)


def test_a_trace_says_which_rules_were_kept_out():
    trace = _policy(_for("p/adds")).explain("request", _slots(), at_s=NOW)
    outcomes = {rule.ref.rule: rule.outcome for rule in trace.rules}
    assert outcomes == {
        "closed": "not_matched",
        "adds": "exempt",
        "risky": "not_matched",
        "unsure": "not_matched",
    }


def test_the_version_is_another_with_an_exemption_and_the_same_without():
    plain, one = _policy(), _policy(_for("p/adds"))
    assert one.hash == _policy(_for("p/adds")).hash
    changed = [
        _for("p/closed"),
        replace(_for("p/adds"), expires_s=LATER + 1),
        _for("p/adds", apps=frozenset({"a"})),
        _for("p/adds", keys=frozenset({"a"})),
        replace(_for("p/adds"), name="e-2"),
    ]
    hashes = {plain.hash, one.hash, *(_policy(exemption).hash for exemption in changed)}
    assert len(hashes) == 2 + len(changed)


def test_several_exemptions_are_named_once_each_in_order():
    two = replace(_for("p/adds"), name="e-0")
    assert exempt((_for("p/adds"), two), _slots(), NOW) == (("p/adds", "e-0"), ("p/adds", "e-1"))
    decision = _policy(_for("p/adds", "p/closed"), two).decide("request", _slots(), at_s=NOW)
    assert decision.exemptions == ("e-0", "e-1")


def test_what_a_record_keeps_of_an_exemption_is_read_back():
    whole = Exemption("e", frozenset({"p/a", "p/b"}), 7, frozenset({"app"}), frozenset({"k"}))
    for exemption in (whole, Exemption("e", frozenset({"p/a"}), 7)):
        assert read(exemption.written()) == exemption


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]))
def test_an_exempt_rule_decides_as_one_that_is_disabled(seed, phase):
    rng = Random(seed)
    layered = random_layers(rng)
    refs = [
        f"{policy.name}/{rule.id}"
        for policy in layered
        for rule in policy.document.rules
        if rule.mode == "enforce"
    ]
    chosen = frozenset(rng.sample(refs, min(2, len(refs))))
    policy = EffectivePolicy(layered, [Exemption("e", chosen, LATER)])
    without = EffectivePolicy([_without(each, chosen) for each in layered])
    for _ in range(4):
        slots = random_slots(rng)
        decision = policy.decide(phase, slots, at_s=NOW)
        assert replace(decision, exemptions=()) == without.decide(phase, slots)
        assert policy.explain(phase, slots, at_s=NOW).decision == decision


def _without(policy: Layered, refs: frozenset[str]) -> Layered:
    rules = tuple(
        replace(rule, mode="disabled") if f"{policy.name}/{rule.id}" in refs else rule
        for rule in policy.document.rules
    )
    return replace(policy, document=replace(policy.document, rules=rules))
