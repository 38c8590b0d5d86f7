"""Case 17: a rule that its first finding decides lets streams pass; any other gathers them."""

import pytest

from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered

DENY = "deny: {message: No}"
MASK = "redact: {kinds: all, min_score: 0.4, method: mask}"
SECRETS = "redact: {secrets: all, min_score: 0.4, method: mask}"
OWN = "redact: {custom: all, min_score: 0.4, method: mask}"
BOTH = "redact: {kinds: all, secrets: all, min_score: 0.4, method: mask}"
LINKS = "redact: {links: true}"


def policy(*rules):
    listed = "".join(f"  - {{{rule}}}\n" for rule in rules)
    document = parse_document(f"policy: p\ndefault: permit\nrules:\n{listed}")
    return EffectivePolicy([Layered("tenant", "p", 1, document)])


def gathers(when, effect, mode="enforce"):
    """Return why an answer rule gathers streams."""
    return policy(f"id: a, phase: answer, mode: {mode}, when: '{when}', {effect}").gathers


@pytest.mark.parametrize(
    "when",
    [
        "true",
        'app.name == "x"',
        "answer.pii.count > 0",
        "answer.pii.count >= 1",
        "0 < answer.pii.count",
        "answer.secret.count != 0",
        "answer.pii.max_score >= 0.8",
        "0.8 < answer.pii.max_score",
        "answer.custom.count > 0",
        "answer.custom.max_score >= 0.8",
        '"PROJECT" in answer.custom.kinds',
        'answer.findings.exists(f, f.category == "custom" && f.kind == "PROJECT")',
        '"CREDIT_CARD" in answer.pii.kinds',
        'answer.pii.kinds.exists(k, k == "CREDIT_CARD" || k in ["IBAN_CODE"])',
        'answer.pii.kinds.exists(k, k.startsWith("US_"))',
        "size(answer.secret.kinds) > 0",
        'answer.links.exists(h, !(h in ["example.com"]))',
        '"rm" in answer.tool_calls',
        "size(answer.tool_faults) > 0",
        '"unoffered" in answer.tool_faults || size(answer.tainted_hosts) > 0',
        'answer.tainted_hosts.exists(h, h.endsWith(".example"))',
        "budget.used_percent > 90 && size(answer.tool_faults) > 0",
        'answer.findings.exists(f, f.category == "pii" && f.score >= 0.5)',
        'answer.findings.exists(f, f.kind in ["IBAN_CODE"] && 0.5 <= f.score && f.place == "x")',
        'call.stream && answer.pii.count > 0 || app.name == "x" && answer.secret.count > 0',
    ],
)
def test_what_the_first_finding_decides_may_deny_in_mid_stream(when):
    assert gathers(when, DENY) == ()


@pytest.mark.parametrize(
    "when",
    [
        "answer.pii.count > 2",
        "answer.pii.count == 0",
        "answer.custom.count > 1",
        "answer.custom.count > 0 && answer.pii.count > 0",
        "!(answer.pii.count > 0)",
        "answer.pii.count > 0 && answer.secret.count > 0",
        'answer.findings.all(f, f.category == "pii")',
        'answer.findings.exists(f, f.category == "pii" && f.count > 1)',
        'answer.findings.exists(f, f.category == "pii" && f.score < 0.5)',
        'answer.findings.exists(f, f.category == "injection")',
        "answer.findings.exists(f, f.score > 0.5)",
        'answer.findings.exists(f, f.kind in ["prompt_leak"])',
        "size(answer.findings) > 0",
        "answer.bytes > 0",
        "answer.echo_percent > 0",
        "size(answer.tool_faults) > 1",
        "size(answer.tainted_hosts) == 0",
        'answer.finish == "length"',
        "risk >= 10",
        "call.tools.exists(t, t in answer.tool_calls)",
        "answer.links.exists(h, h in answer.tool_calls)",
        'answer.tool_calls.all(t, t == "x")',
        "answer.pii.max_score <= 0.5",
    ],
)
def test_what_more_than_the_first_finding_decides_waits_for_the_end(when):
    (reason,) = gathers(when, DENY)
    assert reason.startswith("p/a: ")


@pytest.mark.parametrize(
    ("when", "effect"),
    [
        ("true", BOTH),
        ("true", LINKS),
        ("answer.pii.count > 0", MASK),
        ("answer.secret.count > 0", SECRETS),
        ("answer.pii.count > 0 || answer.secret.count > 0", BOTH),
        ("call.stream && answer.pii.count > 0", MASK),
        ("answer.pii.max_score >= 0.4", MASK),
        ('"CREDIT_CARD" in answer.pii.kinds', "redact: {kinds: [CREDIT_CARD]}"),
        (
            'answer.findings.exists(f, f.kind in ["CREDIT_CARD", "IBAN_CODE"] && f.score >= 0.4)',
            "redact: {kinds: [CREDIT_CARD, IBAN_CODE], min_score: 0.5}",
        ),
        ("true", OWN),
        ("answer.custom.count > 0", OWN),
        ("answer.custom.max_score >= 0.4", OWN),
        ('"PROJECT" in answer.custom.kinds', "redact: {custom: [PROJECT]}"),
        ('answer.findings.exists(f, f.kind == "PROJECT")', "redact: {custom: [PROJECT]}"),
        ("true", "allow_tools: [search]"),
        ("answer.bytes > 10", "tag: {long: yes_it_is}"),
    ],
)
def test_a_redaction_that_each_of_its_findings_brings_about_streams(when, effect):
    assert gathers(when, effect) == ()


@pytest.mark.parametrize(
    ("when", "effect"),
    [
        ("answer.secret.count > 0", MASK),
        ("answer.pii.count > 0", BOTH),
        ("answer.pii.count > 0", OWN),
        ("answer.custom.max_score >= 0.5", OWN),
        ('"PROJECT" in answer.custom.kinds', OWN),
        ('"PROJECT" in answer.custom.kinds', "redact: {custom: [PROJECT, OTHER]}"),
        ("call.stream && answer.pii.count > 0 || call.stream && answer.secret.count > 0", BOTH),
        ("answer.pii.max_score >= 0.5", MASK),
        ('"CREDIT_CARD" in answer.pii.kinds', MASK),
        ('"CREDIT_CARD" in answer.pii.kinds', "redact: {kinds: [CREDIT_CARD, IBAN_CODE]}"),
        ('answer.findings.exists(f, f.category == "pii" && f.place == "x")', MASK),
        ("size(answer.links) > 0", LINKS),
        ("size(answer.tainted_hosts) > 0", LINKS),
        ("size(answer.tool_faults) > 0", MASK),
        ("answer.pii.count > 0", "allow_tools: [search]"),
        ("true", "sanitise: [zero_width]"),
    ],
)
def test_a_redaction_of_what_may_have_gone_before_waits_for_the_end(when, effect):
    assert len(gathers(when, effect)) == 1


def test_only_enforced_rules_of_the_answer_phase_count():
    assert gathers("answer.pii.count > 2", DENY, "shadow") == ()
    assert gathers("answer.pii.count > 2", DENY, "disabled") == ()
    assert policy(f"id: a, when: pii.count > 2, {DENY}").gathers == ()
    assert not policy(f"id: a, phase: answer, mode: shadow, when: true, {DENY}").holds
    assert policy(f"id: a, phase: answer, when: true, {DENY}").holds


def test_redactions_that_a_later_finding_would_change_wait_for_the_end():
    mails = "id: a, phase: answer, when: true, redact: {kinds: [EMAIL_ADDRESS], method: %s}"
    cards = "id: b, phase: answer, when: '%s', redact: {kinds: all, method: mask}"
    later = cards % "answer.pii.count > 0"
    (reason,) = policy(mails % "drop", later).gathers
    assert reason.startswith("p/a and p/b: ")
    assert policy(mails % "mask", later).gathers == ()
    assert policy(mails % "drop", cards % "true").gathers == ()


def with_names(rule, entities=("PERSON",)):
    document = parse_document(f"policy: p\ndefault: permit\nrules:\n  - {{{rule}}}\n")
    return EffectivePolicy([Layered("tenant", "p", 1, document)], entities=entities)


@pytest.mark.parametrize(
    ("rule", "waits"),
    [
        (f"phase: answer, when: answer.pii.count > 0, {DENY}", True),
        (f"phase: answer, when: 'answer.findings.exists(f, f.kind == \"X\")', {DENY}", True),
        (f"phase: answer, when: true, {MASK}", True),
        ("phase: answer, when: true, redact: {kinds: [PERSON], method: mask}", True),
        ("phase: answer, when: true, redact: {kinds: [LOCATION], method: mask}", False),
        ("phase: answer, when: true, redact: {kinds: [EMAIL_ADDRESS], method: mask}", False),
        (f"phase: answer, when: true, {SECRETS}", False),
        (f"phase: answer, when: pii.count > 0, {DENY}", False),
        (f"phase: answer, when: answer.secret.count > 0, {DENY}", False),
        (f"phase: answer, mode: shadow, when: answer.pii.count > 0, {DENY}", False),
        (f"when: pii.count > 0, {DENY}", False),
    ],
)
def test_case_17_what_depends_on_names_waits_for_the_whole_answer(rule, waits):
    rule = f"id: a, {rule}"
    without = with_names(rule, ()).gathers
    found = with_names(rule).gathers
    if waits:
        assert found == ("p/a: names are found in whole texts, by a model",)
    else:
        assert found == without
