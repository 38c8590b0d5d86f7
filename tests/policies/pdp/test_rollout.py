"""A candidate beside the active version: who is served what, and what differs."""

import string
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.combine import none_attached
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, SLOTS
from policies.pdp.rollout import BUCKETS, Rollout, bucket, change
from tests.policies.pdp.random_conditions import random_slots
from tests.policies.pdp.random_documents import random_layers


def _policy(rules: str, version: int = 1) -> EffectivePolicy:
    text = f"policy: p\ndefault: permit\nrules: [{rules}]"
    return EffectivePolicy([Layered("tenant", "p", version, parse_document(text))])


OPEN = _policy("")
STRICT = _policy("{id: a, when: call.stream, deny: {message: No}}", 2)
CAPPED = _policy("{id: a, when: call.stream, cap: {max_output_tokens: 5}}", 3)
OTHER = _policy("{id: b, when: call.stream, deny: {message: Never}}", 4)


def _slots(key_id: str = "k", *, stream: bool = True) -> list:
    slots = list(DEFAULTS)
    slots[SLOTS["key.id"]], slots[SLOTS["call.stream"]] = key_id, stream
    return slots


def test_the_bucket_of_a_key_is_the_same_for_ever():
    assert [bucket(name) for name in ("", "k", "6zobD9Sfe2", "é")] == [28, 57, 16, 98]


def test_buckets_are_even():
    draw = Random(1)
    keys = ["".join(draw.choices(string.ascii_letters, k=10)) for _ in range(20_000)]
    counts = [0] * BUCKETS
    for key in keys:
        counts[bucket(key)] += 1
    assert min(counts) > 120
    assert max(counts) < 280


@given(st.text(max_size=12), st.integers(0, 100), st.integers(0, 100))
def test_a_key_that_had_the_candidate_keeps_it_at_a_higher_percentage(key_id, one, other):
    low, high = sorted((one, other))
    if Rollout(OPEN, STRICT, low).serves(key_id) == "candidate":
        assert Rollout(OPEN, STRICT, high).serves(key_id) == "candidate"


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_percentage_is_one(percent):
    with pytest.raises(ValueError, match="is not between 0 and 100"):
        Rollout(OPEN, STRICT, percent)


@pytest.mark.parametrize(("percent", "served"), [(0, "active"), (100, "candidate")])
def test_one_version_holds_and_the_other_is_told(percent, served):
    rollout = Rollout(OPEN, STRICT, percent)
    verdict = rollout.decide("request", _slots())
    assert (verdict.served, verdict.change) == (served, "newly_denied")
    assert verdict.decision.permitted == (served == "active")
    assert verdict.other.permitted == (served == "candidate")
    written = verdict.written(rollout.hashes)
    assert (written["active"], written["candidate"]) == (OPEN.hash, STRICT.hash)
    assert written["other"]["effect"] == ("deny" if served == "active" else "permit")
    same = rollout.decide("request", _slots(stream=False))
    assert same.change == "same"
    assert "other" not in same.written(rollout.hashes)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (OPEN, OPEN, "same"),
        (OPEN, STRICT, "newly_denied"),
        (STRICT, OPEN, "newly_permitted"),
        (OPEN, CAPPED, "other_obligations"),
        (STRICT, OTHER, "other_reason"),
        (STRICT, STRICT, "same"),
    ],
)
def test_what_differs_is_said(before, after, told):
    decisions = (policy.decide("request", _slots()) for policy in (before, after))
    assert change(*decisions) == told


def test_nothing_attached_on_either_side_is_the_same():
    assert change(none_attached(), none_attached()) == "same"


def test_the_detectors_of_both_run():
    pii = _policy("{id: a, when: pii.count > 0, deny: {message: No}}")
    secrets = _policy("{id: a, phase: answer, when: answer.secret.count > 0, deny: {message: No}}")
    rollout = Rollout(pii, secrets, 5)
    assert (rollout.needs, rollout.answer_needs) == ({"pii"}, {"secrets"})


def test_what_either_asks_of_a_call_is_asked():
    header = _policy("{id: a, when: '\"x-team\" in call.headers', deny: {message: No}}")
    links = _policy("{id: a, phase: answer, when: size(answer.links) > 0, deny: {message: No}}")
    for rollout in (Rollout(header, links, 5), Rollout(links, header, 5)):
        assert rollout.headers == {"x-team"}
        assert rollout.answer_rules
        assert rollout.reads_links
    assert not Rollout(OPEN, STRICT, 5).answer_rules


@pytest.mark.parametrize("percent", [0, 100])
def test_each_side_judges_an_answer_by_the_risk_that_it_found(percent):
    risky = _policy("{id: a, phase: answer, when: risk >= 50, deny: {message: No}}")
    slots = _slots()
    slots[SLOTS["risk"]] = 60
    verdict = Rollout(risky, risky, percent).decide("answer", slots, other_risk=10)
    assert not verdict.decision.permitted
    assert verdict.other.permitted
    assert slots[SLOTS["risk"]] == 60


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]))
def test_in_shadow_a_candidate_changes_nothing(seed, phase):
    rng = Random(seed)
    active, candidate = EffectivePolicy(random_layers(rng)), EffectivePolicy(random_layers(rng))
    slots = random_slots(rng)
    verdict = Rollout(active, candidate, 0).decide(phase, slots)
    assert verdict.decision == active.decide(phase, slots)
    assert verdict.other == candidate.decide(phase, slots)
