"""What would pass: the nearest change, said in words, and decided again."""

import json
from random import Random

import pytest

from policies.pdp.analysis.passing import would_pass
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.exemption import Exemption
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact
from tests.policies.pdp.random_documents import random_layers
from tests.policies.pdp.random_facts import possible_slots

NO = {"deny": {"message": "No."}}


def _policy(*rules, default="permit", exemptions=()):
    numbered = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    document = parse_document(json.dumps({"policy": "p", "default": default, "rules": numbered}))
    return EffectivePolicy([Layered("tenant", "p", 1, document)], exemptions)


def _when(condition, **effects):
    return {"when": condition, **(effects or NO)}


def _slots(**values):
    slots = list(DEFAULTS)
    for name, value in values.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return slots


KEYS = FindingFact("aws_access_key", "secret", 1.0, "user", 2)
MAIL = FindingFact("EMAIL_ADDRESS", "pii", 1.0, "user", 1)
CARD = FindingFact("CREDIT_CARD", "pii", 0.9, "tool", 3)
FOUND = {
    "findings": (KEYS, MAIL, CARD),
    "secret__count": 2,
    "secret__kinds": ("aws_access_key",),
    "secret__max_score": 1.0,
    "pii__count": 4,
    "pii__kinds": ("CREDIT_CARD", "EMAIL_ADDRESS"),
    "pii__max_score": 1.0,
}
TOOLS = ("shell", "search", "browser", "mail")


@pytest.mark.parametrize(
    ("rules", "facts", "words"),
    [
        ([_when("secret.count > 0")], FOUND, "without the 2 credentials (aws_access_key)"),
        (
            [_when('"CREDIT_CARD" in pii.kinds')],
            FOUND,
            "without the 3 pieces of personal data (CREDIT_CARD)",
        ),
        (
            [_when("pii.count > 0")],
            FOUND,
            "without the 4 pieces of personal data (CREDIT_CARD, EMAIL_ADDRESS)",
        ),
        (
            [_when("findings.exists(f, f.kind == 'EMAIL_ADDRESS')")],
            FOUND,
            "without the piece of personal data (EMAIL_ADDRESS)",
        ),
        (
            [_when("secret.count > 0"), _when('"CREDIT_CARD" in pii.kinds')],
            FOUND,
            "without the 3 pieces of personal data (CREDIT_CARD) and without the 2 credentials"
            " (aws_access_key)",
        ),
        (
            [_when("call.max_output_tokens > 512")],
            {"call__max_output_tokens": 4000},
            "with max output tokens 512",
        ),
        (
            [_when("call.max_output_tokens > 512 || call.max_output_tokens == 0")],
            {"call__max_output_tokens": 4000},
            "with max output tokens 512",
        ),
        ([_when("call.temperature > 0.7")], {"call__temperature": 1.5}, "with temperature 0.7"),
        ([_when("call.stream")], {"call__stream": True}, "with stream off"),
        ([_when("true", cap={"messages": 20})], {"call__messages": 30}, "with 20 messages"),
        ([_when("true", require={"user": True})], {}, "with an end user named"),
        ([_when("true", require={"headers": ["x-ticket"]})], {}, "with the header x-ticket"),
        ([_when("true", require={"metadata": ["team"]})], {}, "with the tag team=..."),
        (
            [_when("true", allow_tools=["search", "mail"])],
            {"call__tools": TOOLS},
            "without the tools shell, browser",
        ),
        (
            [_when("true", allow_models=["gpt-4o-mini"])],
            {"model__asked": "gpt-4", "model__routed": "gpt-4"},
            "with model gpt-4o-mini",
        ),
        (
            [_when('model.asked.startsWith("gpt-4")')],
            {"model__asked": "gpt-4", "model__routed": "gpt-4"},
            "with another model than gpt-4",
        ),
        (
            [_when('app.tier == "free" && source.hour < 8')],
            {"app__tier": "free"},
            "with another app.tier than free",
        ),
        ([_when("source.hour < 8")], {"source__hour": 3}, "with the hour 8"),
        (
            [_when("call.n > 1", risk=50), _when("call.stream", risk=40), _when("risk >= 80")],
            {"call__n": 4, "call__stream": True},
            "with n = 1",
        ),
        (
            [_when("uninspected.count > 0")],
            {"uninspected__count": 1, "uninspected__kinds": ("image",), "call__images": 1},
            "without the part that cannot be inspected (image)",
        ),
    ],
)
def test_the_nearest_change_is_said(rules, facts, words):
    policy, slots = _policy(*rules), _slots(**facts)
    way = would_pass(policy, slots)
    assert way is not None
    assert way.words == words
    changed = list(slots)
    for name, value in way.facts:
        changed[SLOTS[name]] = value
    assert policy.decide("request", changed).permitted
    assert way.written()["words"] == words


def test_models_that_there_are_are_named():
    policy = _policy(_when('model.asked.startsWith("gpt-4")'))
    slots = _slots(model__asked="gpt-4", model__routed="gpt-4")
    way = would_pass(policy, slots, ["gpt-4o", "claude-haiku"])
    assert way is not None
    assert way.words == "with model claude-haiku"


@pytest.mark.parametrize(
    ("policy", "facts"),
    [
        (_policy(), {}),
        (EffectivePolicy([]), {}),
        (_policy(default="deny"), {}),
        (_policy(_when("true")), {"call__n": 3}),
    ],
)
def test_where_nothing_helps_nothing_is_said(policy, facts):
    assert would_pass(policy, _slots(**facts)) is None


def test_the_search_ends():
    rules = [_when(f'call.n != {n} || app.tier != "{n}"') for n in range(5)]
    assert would_pass(_policy(*rules), _slots(), tries_max=20) is None


def test_what_an_exemption_keeps_out_needs_no_change():
    exemption = Exemption("e", frozenset({"p/r0"}), 100)
    policy = _policy(_when("call.stream"), _when("call.n > 1"), exemptions=[exemption])
    slots = _slots(call__stream=True, call__n=2)
    way = would_pass(policy, slots, at_s=50)
    assert way is not None
    assert way.words == "with n = 1"
    both = would_pass(policy, slots, at_s=150)
    assert both is not None
    assert len(both.moves) == 2


@pytest.mark.parametrize("seed", range(10))
def test_ways_for_random_policies_lead_to_a_permit(seed):
    rng = Random(seed)
    policy = EffectivePolicy(random_layers(rng, 3))
    for _ in range(3):
        slots = possible_slots(rng)
        way = would_pass(policy, slots, tries_max=200)
        if way is not None:
            changed = list(slots)
            for name, value in way.facts:
                changed[SLOTS[name]] = value
            assert not policy.decide("request", slots).permitted
            assert policy.decide("request", changed).permitted
            assert 1 <= len(way.moves) <= 3
