"""One sentence, and the layers, for every way in which a call can go."""

import pytest

from gateway.calls import explanation
from gateway.calls.headline import remedy, sentence
from gateway.calls.steps import steps
from gateway.calls.story import read
from gateway.selectors import versions_recorded
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def story(call):
    return read(call.rows)


def house(world):
    return world.policy.labels[1]


CASES = {
    "denied": (
        lambda world: world.call().with_cards().refused(),
        "Denied (explicitly) by the rule no-cards of {house}, on the tenant's layer:"
        " 3 pieces of personal data may not leave.",
        "Policy stopped",
    ),
    "denied by default": (
        lambda world: world.call(app__name="").refused(),
        "Denied (implicitly): no rule of {house} permits it.",
        "Policy stopped",
    ),
    "detector failed": (
        lambda world: world.call(failed=["pii"]).refused(),
        "Denied (explicitly) by the rule mask-mail of {house} and 1 more: it depends on a detector,"
        " which failed.",
        "Policy stopped",
    ),
    "limit": (
        lambda world: world.call().refused(
            "rate_limit_exceeded", "No room.", status=429, rule="rpm"
        ),
        "The policy permits it, but it was refused by rpm: No room.",
        "Limits and budget stopped",
    ),
    "evidence away": (
        lambda world: world.call().refused("evidence_unavailable", "Not recorded.", status=503),
        "The policy permits it, but it was refused: Not recorded.",
        "Evidence failed",
    ),
    "permitted": (
        lambda world: world.call().admitted().completed(),
        "Permitted by the rule staff of {house}, and answered by openai.",
        "",
    ),
    "retried": (
        lambda world: (
            world.call()
            .admitted(1, "azure")
            .completed(1, "upstream_timeout")
            .admitted(2)
            .completed(2)
        ),
        "Permitted by the rule staff of {house}, and answered by openai.",
        "",
    ),
    "failed": (
        lambda world: world.call().admitted().completed(1, "upstream_error", 0, None),
        "Permitted by the rule staff of {house}, but it failed at openai: the provider failed.",
        "Provider failed",
    ),
    "answer denied": (
        lambda world: world.call().admitted().answer_denied(),
        "Sent, and the answer was withheld (explicitly) by the rule no-tools-back of {house}, on"
        " the tenant's layer: An answer may call no tools.",
        "Answer stopped",
    ),
    "cut": (
        lambda world: world.call().admitted().completed(1, "key_revoked"),
        "Permitted and sent, and the answer was cut: the key was revoked meanwhile.",
        "Answer stopped",
    ),
    "lost": (
        lambda world: world.call().admitted().lost(),
        "Permitted and sent, but the process that carried it ended before the answer did:"
        " the whole hold was charged.",
        "Provider failed",
    ),
    "in flight": (
        lambda world: world.call().admitted(),
        "Permitted by the rule staff of {house}; the answer is awaited.",
        "Provider waiting",
    ),
    "only its end": (
        lambda world: world.call().completed(1, "not_sent", 0, None),
        "Nothing left the gateway: the client left before it was sent.",
        "Evidence failed",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_call_is_told_in_one_sentence(world, name):
    make, expected, stop = CASES[name]
    call = story(make(world))
    assert sentence(call) == expected.format(house=house(world))
    reached = [step for step in steps(call) if step.state != "not_reached"]
    assert all(step.state == "passed" for step in reached[:-1])
    last = reached[-1]
    assert (f"{last.name} {last.state}" if last.state != "passed" else "") == stop
    assert all(not step.text for step in steps(call) if step.state == "not_reached")


@pytest.mark.parametrize("name", CASES)
def test_every_recorded_decision_is_judged_again_to_the_same(world, name):
    rows = CASES[name][0](world).rows
    found = explanation.explain(rows, versions_recorded(rows))
    assert [item.differs for item in found.rulings] == [""] * len(found.rulings)
    assert len(found.rulings) == {"answer denied": 2, "only its end": 0}.get(name, 1)
    assert bool(found.unbuilt) == (name == "only its end")


def test_the_remedy_is_the_one_that_the_caller_was_told(world):
    assert remedy(story(world.call().with_cards().refused())) == "Take the card numbers out."
    assert remedy(story(world.call().admitted())) == ""


def test_the_facts_say_how_guards_answered(world):
    (row,) = world.call().with_cards().refused().rows
    assert "guard" not in str(steps(read([row])))
    late = {"guard": "names", "version": "0123456789ab", "outcome": "left_alone", "latency_ms": 1}
    row.body["guards"] = [late]
    (told,) = [step.text for step in steps(read([row])) if step.name == "Facts"]
    assert told.endswith("; the guard names: left alone, 1 ms")
