"""Recorded calls under another policy: what is compared, and what is never guessed."""

import pytest

from policies.pdp.backtest import Compared, Comparison, Facts, Lacking, Past, Seen, seen_by
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.exemption import Exemption
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, DETECTORS, SCHEMA_VERSION, SLOTS
from policies.pdp.signals import Signals

AT_S = 1_800_000_000
ALL = Seen(
    SCHEMA_VERSION,
    DETECTORS,
    DETECTORS,
    frozenset({"x-ticket"}),
    answers=True,
    links=True,
    signals=Signals(counters=True, hosts=True, faults=True, echo=True),
)


def effective(rules, name="draft", exemptions=()):
    text = "\n".join([f"policy: {name}", "default: permit", "rules:", *rules])
    document = parse_document(text if rules else f"policy: {name}\ndefault: permit\n")
    return EffectivePolicy([Layered("tenant", name, 1, document)], exemptions)


def deny(rule, when, more=""):
    return f"  - {{id: {rule}, when: '{when}', deny: {{message: No.}}{more}}}"


OPEN = effective([])
MAIL = deny("mail", "pii.count > 0")
TOOLS = deny("tools", "size(answer.tool_calls) > 0", ", phase: answer")


def slots(**given):
    found = list(DEFAULTS)
    for name, value in given.items():
        found[SLOTS[name.replace("__", ".")]] = value
    return found


def past(seen=ALL, answer=None, answered=False, failed=(), **given):
    return Past(
        seen=seen,
        at_s=AT_S,
        request=Facts(slots(**given), frozenset(failed)),
        answer=None if answer is None else Facts(slots(**given, **answer)),
        answered=answered or answer is not None,
    )


def said(before, after, call):
    found = Comparison(before, after).compare(call)
    assert isinstance(found, Compared)
    return found.change, found.phase


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ([], [MAIL], "newly_denied"),
        ([MAIL], [], "newly_permitted"),
        ([MAIL], [deny("other", "pii.count > 0")], "other_reason"),
        ([], ["  - {id: c, when: true, cap: {n: 2}}"], "other_obligations"),
        ([MAIL], [MAIL], "same"),
        ([], [deny("many", "pii.count > 9")], "same"),
        ([], [deny("seen", "pii.count > 0", ", mode: shadow")], "same"),
    ],
)
def test_each_change(before, after, change):
    assert said(effective(before), effective(after), past(pii__count=1)) == (change, "request")


def test_an_answer_tells_where_the_request_does_not():
    after = effective([TOOLS])
    called = past(answer={"answer__tool_calls": ("rm",)})
    assert said(OPEN, after, called) == ("newly_denied", "answer")
    assert said(after, OPEN, called) == ("newly_permitted", "answer")
    assert said(OPEN, after, past(answer={})) == ("same", "answer")
    assert said(OPEN, after, past()) == ("same", "request")
    both = effective([TOOLS, "  - {id: c, when: true, cap: {n: 2}}"])
    assert said(OPEN, both, called) == ("newly_denied", "answer")
    assert said(OPEN, both, past(answer={})) == ("other_obligations", "request")


def test_a_request_that_is_refused_has_no_answer():
    after = effective([MAIL, TOOLS])
    call = past(pii__count=1, answer={"answer__tool_calls": ("rm",)})
    assert said(OPEN, after, call) == ("newly_denied", "request")


def test_each_policy_knows_the_risk_that_it_found():
    risky = deny("r", "risk > 5", ", phase: answer")
    before = effective(["  - {id: a, when: true, risk: 3}", risky])
    after = effective(["  - {id: a, when: true, risk: 9}", risky])
    call = past(answer={"risk": 3})
    assert said(before, after, call) == ("newly_denied", "answer")
    assert said(after, before, call) == ("newly_permitted", "answer")


def test_nobody_knows_what_another_model_would_have_answered():
    after = effective([TOOLS, "  - {id: r, when: true, route: small}"])
    call = past(answer={"answer__tool_calls": ("rm",)})
    assert said(OPEN, after, call) == ("other_obligations", "request")


@pytest.mark.parametrize(
    ("seen", "rule", "lacks"),
    [
        (ALL._replace(detectors=frozenset({"secrets"})), MAIL, ("pii.count",)),
        (ALL._replace(schema=1), deny("s", "secret.count > 0"), ("secret.count",)),
        (ALL._replace(schema=99), deny("s", 'app.name == "x"'), ("app.name",)),
        (
            ALL._replace(headers=frozenset()),
            deny("h", '"X-Ticket" in call.headers'),
            ("call.headers",),
        ),
        (
            ALL._replace(detectors=frozenset({"pii"})),
            deny("f", 'findings.exists(f, f.category == "pii")'),
            ("findings",),
        ),
        (ALL._replace(answers=False), TOOLS, ("answer.tool_calls",)),
        (
            ALL._replace(links=False),
            deny("l", "size(answer.links) > 0", ", phase: answer"),
            ("answer.links",),
        ),
        (
            ALL._replace(signals=Signals(hosts=True)),
            deny("b", "budget.used_percent > 90"),
            ("budget.used_percent",),
        ),
        (
            ALL._replace(signals=Signals(counters=True)),
            deny("t", "size(answer.tainted_hosts) > 0", ", phase: answer"),
            ("answer.tainted_hosts",),
        ),
        (ALL._replace(schema=4), deny("f", "rate.age_ms > 9"), ("rate.age_ms",)),
        (
            ALL._replace(answer_detectors=frozenset()),
            deny("p", "answer.pii.count > 0", ", phase: answer"),
            ("answer.pii.count",),
        ),
    ],
)
def test_what_nobody_looked_for_is_not_guessed(seen, rule, lacks):
    call = past(seen=seen, answer={})
    after = effective([rule])
    for pair in ((OPEN, after), (after, OPEN)):
        assert Comparison(*pair).compare(call) == Lacking(lacks)
    assert isinstance(Comparison(OPEN, after).compare(call._replace(seen=ALL)), Compared)


PII_ALONE = 'findings.exists(f, f.category == "pii")'


@pytest.mark.parametrize(
    ("when", "more", "lacks"),
    [
        ("custom.count > 0", "", ("custom.count",)),
        ("size(findings) > 3 && pii.count > 0", "", ("findings",)),
        (PII_ALONE, "", ()),
        ("answer.custom.count > 0", ", phase: answer", ("answer.custom.count",)),
        ("custom.count > 0", ", phase: answer", ("custom.count",)),
    ],
)
def test_what_a_guard_that_was_not_asked_would_have_found_is_not_guessed(when, more, lacks):
    held = effective([deny("a", PII_ALONE), deny("b", f"answer.{PII_ALONE}", ", phase: answer")])
    after, call = effective([deny("draft", when, more)]), past(seen_by([held], SCHEMA_VERSION), {})
    assert isinstance(Comparison(held, after).compare(call), Compared)  # without guards
    both = frozenset({"request", "answer"})
    for pair in ((held, after), (after, held)):
        found = Comparison(*pair, both).compare(call)
        assert found == Lacking(lacks) if lacks else isinstance(found, Compared)
    asked = call._replace(seen=call.seen._replace(relies=both))
    assert isinstance(Comparison(held, after, both).compare(asked), Compared)


def test_an_answer_that_came_and_was_not_judged_is_not_guessed():
    found = Comparison(OPEN, effective([TOOLS])).compare(past(answered=True))
    assert found == Lacking(("answer.tool_calls",))


def test_what_only_a_shadow_rule_reads_may_lack():
    after = effective([deny("s", "pii.count > 0", ", mode: shadow")])
    assert said(OPEN, after, past(seen=ALL._replace(detectors=frozenset()))) == ("same", "request")


def test_a_detector_that_failed_then_failed():
    assert said(OPEN, effective([MAIL]), past(failed=["pii"])) == ("newly_denied", "request")
    skips = effective([deny("mail", "pii.count > 0", ", on_error: skip")])
    assert said(OPEN, skips, past(failed=["pii"])) == ("same", "request")


@pytest.mark.parametrize(("expires_s", "change"), [(AT_S + 1, "same"), (AT_S, "newly_denied")])
def test_exemptions_hold_at_the_instant_of_the_call(expires_s, change):
    friend = Exemption("friends", frozenset({"draft/mail"}), expires_s)
    after = effective([MAIL], exemptions=[friend])
    assert said(OPEN, after, past(pii__count=1)) == (change, "request")


def test_facts_of_the_target_are_approximate_where_a_route_differs():
    reads = deny("region", 'model.region == "us"')
    routed = "  - {id: r, when: true, route: small}"
    assert Comparison(OPEN, effective([reads])).path_dependent == ()
    assert Comparison(OPEN, effective([reads, routed])).path_dependent == ("model.region",)
    both = effective([reads, routed])
    assert Comparison(both, both).path_dependent == ()


def test_case_25_facts_of_money_and_rates_are_flagged():
    spent = effective([deny("spent", "budget.used_percent > 90 && rate.used_percent < 50")])
    assert Comparison(OPEN, spent).path_dependent == ("budget.used_percent", "rate.used_percent")
    call = past(budget__used_percent=91, budget__age_ms=7, rate__age_ms=7)
    assert said(OPEN, spent, call) == ("newly_denied", "request")
    assert said(OPEN, spent, past(budget__used_percent=90, budget__age_ms=7)) == ("same", "request")


def test_what_is_looked_for_is_what_any_of_the_policies_needs():
    header = deny("h", '"X-Ticket" in call.headers')
    links = deny("l", "size(answer.links) > 0", ", phase: answer")
    found = seen_by([effective([MAIL, header]), effective([links], "other")], 2)
    assert found == Seen(
        2, frozenset({"pii"}), headers=frozenset({"x-ticket"}), answers=True, links=True
    )
    assert seen_by([], 3) == Seen(3)
    custom = effective([deny("c", "answer.custom.count > 0", ", phase: answer, mode: shadow")])
    assert seen_by([effective([MAIL]), custom], 5).relies == {"answer"}
