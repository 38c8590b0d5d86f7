"""The conditions of all causes together are the decision to deny, whatever the policies."""

from random import Random

import pytest

from policies.pdp.analysis.causes import causes
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import SLOTS
from tests.policies.pdp.random_conditions import random_slots
from tests.policies.pdp.random_documents import random_layers


@pytest.mark.parametrize("seed", range(60))
def test_a_call_is_denied_exactly_where_a_cause_holds(seed):
    rng = Random(seed)
    policy = EffectivePolicy(random_layers(rng, 4) or [_plain()])
    for phase in ("request", "answer"):
        reasons = causes(policy.layered, phase)
        for _ in range(40):
            slots = random_slots(rng)
            slots[SLOTS["model.asked"]] = rng.choice(["small", "large", "gpt-4"])
            slots[SLOTS["model.routed"]] = rng.choice(["", "small", "large"])
            slots[SLOTS["call.headers"]] = rng.sample(["gpt-4", "o"], rng.randint(0, 2))
            slots[SLOTS["call.tags"]] = rng.sample(["eu", "eu=1", "euro=1"], rng.randint(0, 2))
            decision = policy.decide(phase, slots)
            seen = list(slots)
            if phase == "request":
                seen[SLOTS["risk"]] = decision.risk
            held = [cause for cause in reasons if evaluate(cause.when, seen)]
            assert bool(held) is not decision.permitted
            named = {cause.ref for cause in held} | {r for cause in held for r in cause.others}
            assert set(decision.determining) <= named or decision.permitted


def _plain() -> Layered:
    return Layered("tenant", "plain", 1, parse_document("{policy: plain, default: permit}"))
