"""What is left of a policy for one caller means what the policy means."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.exemption import Exemption
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.parser import parse_condition
from policies.pdp.language import parse_document
from policies.pdp.partial import CALLER, for_caller, residual
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, FACTS, SLOTS
from tests.policies.pdp.random_conditions import Conditions, random_slots

KNOWN = {"tenant.name": "acme", "app.name": "helpdesk", "app.tier": "free", "key.id": "k1"}


@given(st.integers(0, 2**32))
def test_the_condition_that_is_left_has_the_value_of_the_whole(seed):
    rng = Random(seed)
    names = frozenset(rng.sample(sorted(FACTS), rng.randint(0, len(FACTS))))
    condition = parse_condition(Conditions(rng).condition())
    slots = random_slots(rng)
    left = residual(condition, slots, names)
    assert parse_condition(format_condition(left)) == left
    for _ in range(5):
        other = random_slots(rng)
        for name in names:
            other[SLOTS[name]] = slots[SLOTS[name]]
        assert evaluate(left, other) == evaluate(condition, other)


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ('app.tier == "free" && pii.count > 0', "pii.count > 0"),
        ('app.tier == "paid" && pii.count > 0', "false"),
        ('app.tier == "free" || pii.count > 0', "true"),
        ('app.tier == "paid" || pii.count > 0', "pii.count > 0"),
        ('!(app.tier == "paid")', "true"),
        ('!(app.tier == "free" && call.stream)', "!call.stream"),
        ('!(app.tier == "paid" && call.stream)', "true"),
        ('(app.tier == "free" && (call.stream || call.n > 1)) || pii.count > 0',
         "call.stream || call.n > 1 || pii.count > 0"),
        ("call.n > 1", "call.n > 1"),
        ("true", "true"),
    ],
)  # fmt: skip
def test_known_facts_are_put_in(condition, left):
    slots = list(DEFAULTS)
    for name, value in KNOWN.items():
        slots[SLOTS[name]] = value
    found = residual(parse_condition(condition), slots, frozenset(KNOWN))
    assert format_condition(found) == left


TEXT = """
policy: house
rules:
  - id: open
    when: true
    permit: true
  - id: interns
    when: app.tier == "free" && model.asked.startsWith("gpt-4")
    route: small
    cap: {max_output_tokens: 512}
    mode: shadow
  - id: paid
    when: app.tier == "paid"
    risk: 5
  - id: off
    when: true
    mode: disabled
    deny: {message: No}
  - id: answers
    phase: answer
    when: answer.bytes > 10
    deny: {message: Too long.}
"""


def test_a_caller_has_a_policy_in_data_and_in_words():
    apps = frozenset({"helpdesk"})
    exemption = Exemption("ticket-1", frozenset({"house/answers"}), 100, apps=apps)
    policy = EffectivePolicy([Layered("tenant", "house", 3, parse_document(TEXT))], [exemption])
    found = for_caller(policy, KNOWN, at_s=50)
    assert [(rule.ref.rule, rule.standing) for rule in found.rules] == [
        ("open", "always"),
        ("interns", "depends"),
        ("paid", "never"),
        ("off", "disabled"),
        ("answers", "depends"),
    ]
    assert [rule.ref.rule for rule in found.applicable] == ["open", "interns", "answers"]
    assert [rule.words for rule in found.rules] == [
        "On every call: Permit the call, as far as this policy goes.",
        'Where model.asked.startsWith("gpt-4"): Ask for at most 512 output tokens; '
        "Serve it with the model small (in shadow: nothing happens).",
        "On no call of this caller: Add 5 to the risk.",
        "On no call, being disabled: Deny the call: No.",
        "Where answer.bytes > 10: Deny the call: Too long. Exempt by ticket-1.",
    ]
    written = found.written()
    assert (written["policies"], written["closed"]) == (["house@3"], ["house"])
    assert written["hash"] == policy.hash
    assert len(written["rules"]) == 5
    assert for_caller(policy, KNOWN).rules[-1].exemptions == ()
    assert for_caller(policy, KNOWN, at_s=100).rules[-1].exemptions == ()


def test_the_facts_of_a_caller_are_facts():
    assert set(CALLER) <= set(FACTS)
