"""Facts that are made where a rule reads them, and not elsewhere."""

import pytest

from policies.pdp.backtest import seen_by
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import detectors_of
from policies.pdp.rollout import Rollout
from policies.pdp.signals import NO_SIGNALS, Signals, signals_of


def policy(rules, name="p"):
    document = parse_document(f"policy: {name}\ndefault: permit\nrules:\n{rules}")
    return EffectivePolicy([Layered("tenant", name, 1, document)])


def deny(when, more=""):
    return policy(f"  - {{id: a, when: '{when}', deny: {{message: No{more}}}, {phase(when)}}}\n")


def phase(when):
    return "phase: answer" if "answer." in when else "phase: request"


@pytest.mark.parametrize(
    ("when", "made"),
    [
        ("budget.used_percent > 90", Signals(counters=True)),
        ("budget.remaining_micros < 90", Signals(counters=True)),
        ("rate.age_ms >= 0", Signals(counters=True)),
        ("size(call.tool_hosts) > 0", Signals(hosts=True)),
        ("size(answer.tainted_hosts) > 0", Signals(hosts=True)),
        ('"unoffered" in answer.tool_faults', Signals(faults=True)),
        ("answer.echo_percent > 20", Signals(echo=True)),
        ("pii.count > 0 && size(answer.links) > 0", NO_SIGNALS),
    ],
)
def test_a_rule_that_reads_one_has_it_made(when, made):
    assert deny(when).signals == made
    assert policy(f"  - {{id: a, mode: disabled, {phase(when)}, when: '{when}', "
                  "deny: {message: No}}\n").signals == NO_SIGNALS  # fmt: skip


def test_one_that_a_message_shows_is_made_too():
    shown = policy(
        "  - {id: a, phase: answer, when: answer.bytes > 9,"
        " deny: {message: 'To {answer.tainted_hosts}, {budget.used_percent}'}}\n"
    )
    assert shown.signals == Signals(counters=True, hosts=True)


def test_two_versions_have_made_what_either_reads():
    active, candidate = deny("budget.age_ms > 5"), deny("answer.echo_percent > 5")
    assert Rollout(active, candidate, 0).signals == Signals(counters=True, echo=True)
    assert seen_by([active, candidate], 5).signals == Signals(counters=True, echo=True)


def test_what_costs_nothing_is_always_made():
    assert NO_SIGNALS.has("call.n")
    assert not NO_SIGNALS.has("rate.used_percent")
    assert signals_of(["rate.used_percent"]).has("budget.age_ms")
    assert not detectors_of(["answer.echo_percent", "call.tool_hosts"])
