"""A rule is read with all that it may say, and refused for what it may not."""

import pytest

from policies.pdp.effects import EFFECTS, LATER, read_kinds
from policies.pdp.expression.formatter import format_condition
from policies.pdp.obligations import Cap, Redact, RouteTo
from policies.pdp.problem import PolicyError
from policies.pdp.request import DETECTORS, NER
from policies.pdp.rules import PlacedRule, read_rule
from policies.pdp.yaml_text import read_yaml


def _rule(text: str) -> PlacedRule:
    return read_rule(read_yaml(text))


def test_a_rule_with_everything_that_a_request_can_get():
    placed = _rule(
        "id: a.B_c-1\nphase: request\nmode: shadow\nwhen: pii.count > 1\npermit: true\n"
        "redact: {kinds: [EMAIL_ADDRESS, US_SSN], min_score: 0.7, method: drop}\n"
        "cap: {max_output_tokens: 512}\nroute: meta/llama-3\nrisk: 5\non_error: skip"
    )
    rule = placed.rule
    assert (rule.id, rule.phase, rule.mode, rule.on_error) == (
        "a.B_c-1",
        "request",
        "shadow",
        "skip",
    )
    assert format_condition(rule.when) == "pii.count > 1"
    assert rule.permit is True
    assert rule.redact == Redact(frozenset({"EMAIL_ADDRESS", "US_SSN"}), 0.7, "drop")
    assert rule.cap == Cap(512)
    assert rule.route == RouteTo("meta/llama-3")
    assert (rule.risk, rule.deny, rule.line) == (5, None, 1)
    assert (placed.id_at, placed.route_at) == ((1, 5), (8, 1))


def test_a_rule_has_defaults():
    placed = _rule("{id: a, when: true, redact: {}}")
    rule = placed.rule
    assert (rule.phase, rule.mode, rule.on_error) == ("request", "enforce", "deny")
    assert rule.redact == Redact(frozenset(), 0.4, "mask")
    assert (rule.permit, rule.cap, rule.route, rule.risk) == (False, None, None, 0)
    assert placed.route_at == (0, 0)


def test_a_refusal_has_a_message_and_may_have_a_remedy():
    rule = _rule("{id: a, when: true, deny: {message: No, remedy: Ask}}").rule
    assert rule.deny is not None
    assert (rule.deny.message.text, rule.deny.remedy.text) == ("No", "Ask")
    rule = _rule("{id: a, when: true, deny: {message: No}}").rule
    assert rule.deny is not None
    assert rule.deny.remedy.text == ""


def test_a_rule_of_the_answer_reads_facts_of_both_phases():
    rule = _rule(
        "id: a\nphase: answer\nwhen: answer.bytes > 5 && pii.count > 0\n"
        "deny: {message: '{answer.bytes}'}"
    ).rule
    assert rule.phase == "answer"
    assert rule.reads == ("answer.bytes", "pii.count")
    assert rule.shows == ("answer.bytes",)


def test_a_rule_depends_on_the_detectors_of_its_facts_and_of_its_redaction():
    def detectors(rest: str) -> frozenset[str]:
        return _rule(f"{{id: a, {rest}}}").rule.detectors

    assert detectors("when: true, risk: 1") == frozenset()
    assert detectors("when: pii.count > 1, risk: 1") == {"pii", "ner"}
    assert detectors("when: secret.count > 1, risk: 1") == {"secrets"}
    assert detectors("when: injection.score > 0.5, risk: 1") == {"injection"}
    assert detectors("when: size(findings) > 1, risk: 1") == DETECTORS | {NER}
    assert detectors("when: true, redact: {}") == {"pii", "ner"}
    assert detectors("when: true, deny: {message: '{pii.kinds}'}") == frozenset()


@pytest.mark.parametrize("text", ["true", "'true'", '"true"', ">-\n  true"])
def test_a_condition_may_be_written_in_every_style(text):
    assert format_condition(_rule(f"id: a\nrisk: 1\nwhen: {text}").rule.when) == "true"


_HEAD = "id: a\nwhen: true\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "hint"),
    [
        ("when: true\nrisk: 1", 1, 1, "a rule needs the key id", ""),
        ("id: a\nrisk: 1", 1, 1, "a rule needs the key when", ""),
        ("id: -a\nwhen: true\nrisk: 1", 1, 5, "is not a name", ""),
        ("id: a/b\nwhen: true\nrisk: 1", 1, 5, "is not a name", ""),
        (f"id: {'a' * 64}\nwhen: true\nrisk: 1", 1, 5, "is not a name", ""),
        ("id: 5\nwhen: true\nrisk: 1", 1, 5, "expected a text", "put it in quotes"),
        ("id: default\nwhen: true\nrisk: 1", 1, 5, "the policy's own default", ""),
        (_HEAD + "phase: reply\nrisk: 1", 3, 8, "one of request, answer", ""),
        (_HEAD + "mode: on\nrisk: 1", 3, 7, "one of enforce, shadow, disabled", ""),
        (_HEAD + "on_error: permit\nrisk: 1", 3, 11, "one of deny, skip", ""),
        (_HEAD, 1, 1, "the rule does nothing", "one of deny, permit, redact"),
        (_HEAD + "denny: {message: x}\nrisk: 1", 3, 1, 'no key "denny"', 'did you mean "deny"?'),
        # Conditions
        ("id: a\nwhen:\nrisk: 1", 2, 6, "the condition is empty", "when: true"),
        ("id: a\nwhen: [true]\nrisk: 1", 2, 7, "a condition is a text", "in quotes"),
        ("id: a\nwhen: 5\nrisk: 1", 2, 7, "must be true or false", ""),
        ("id: a\nwhen: call.byte > 5\nrisk: 1", 2, 7, "unknown fact", "call.bytes"),
        ('id: a\nwhen: "true && call.byte > 5"\nrisk: 1', 2, 16, "unknown fact", ""),
        ("id: a\nwhen: >-\n  true &&\n  call.byte > 5\nrisk: 1", 4, 3, "unknown fact", ""),
        ("id: a\nwhen: 'app.tier == ''x'' && call.byte > 5'\nrisk: 1", 2, 29, "unknown fact", ""),
        ("id: a\nwhen: true && answer.bytes > 5\nrisk: 1", 2, 15, "not known in the request",
         "add phase: answer"),
        # Effects
        (_HEAD + "deny: no", 3, 7, "deny must be keys with values", ""),
        (_HEAD + "deny: {}", 3, 7, "deny needs the key message", ""),
        (_HEAD + "deny: {message: ''}", 3, 17, "the text is empty", ""),
        (_HEAD + "deny: {message: 5}", 3, 17, "expected a text", ""),
        (_HEAD + f"deny: {{message: {'x' * 501}}}", 3, 17, "longer than 500", ""),
        (_HEAD + f"deny: {{message: x, remedy: {'x' * 501}}}", 3, 28, "longer than 500", ""),
        (_HEAD + "deny: {message: 'a {pii.kind}'}", 3, 21, "unknown fact", "pii.kinds"),
        (_HEAD + "deny: {message: 'é {answer.bytes}'}", 3, 21, "not known in the request", ""),
        (_HEAD + "deny: {message: x, remedy: '{'}", 3, 29, "stands alone", ""),
        (_HEAD + "deny: {message: x}\npermit: true", 4, 1, "cannot permit too", "two rules"),
        (_HEAD + "cap: {max_output_tokens: 5}\ndeny: {message: x}", 3, 1, "cannot cap too", ""),
        (_HEAD + "permit: false", 3, 9, "only true", "leave the key out"),
        (_HEAD + "redact: [EMAIL]", 3, 9, "redact must be keys", ""),
        (_HEAD + "redact: {kinds: []}", 3, 17, "the list is empty", "write all"),
        (_HEAD + "redact: {kinds: EMAIL}", 3, 17, "expected a list", ""),
        (_HEAD + "redact: {kinds: [email]}", 3, 18, "is not a kind such as", ""),
        (_HEAD + "redact: {min_score: 1.5}", 3, 21, "is not between", ""),
        (_HEAD + "redact: {method: erase}", 3, 18, "one of drop, mask, hash", ""),
        (_HEAD + "cap: 5", 3, 6, "cap must be keys", ""),
        (_HEAD + "cap: {max_output_tokens: 0}", 3, 26, "is not between 1", ""),
        (_HEAD + "route: a b", 3, 8, "is not a model name", ""),
        (_HEAD + "route: ''", 3, 8, "is not a model name", ""),
        (_HEAD + "risk: 0", 3, 7, "is not between 1", ""),
        (_HEAD + "risk: -5", 3, 7, "is not between 1", ""),
        (_HEAD + "risk: 1000001", 3, 7, "is not between 1", ""),
        (_HEAD + "phase: answer\npermit: true", 4, 1, "permit is too late", ""),
        (_HEAD + "phase: answer\nroute: a", 4, 1, "route is too late", ""),
        (_HEAD + "phase: answer\ncap: {max_output_tokens: 5}", 4, 1, "cap is too late", ""),
        (_HEAD + "phase: answer\nrisk: 5", 4, 1, "risk is too late", ""),
    ],
)  # fmt: skip
def test_faults_stand_where_they_are(text, line, column, words, hint):
    with pytest.raises(PolicyError) as caught:
        _rule(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.problems) == 1


def test_case_22_a_rule_that_adds_risk_may_not_read_risk():
    with pytest.raises(PolicyError) as caught:
        _rule("id: a\nwhen: call.stream || risk > 5\nrisk: 5")
    assert (caught.value.line, caught.value.column) == (2, 22)
    assert caught.value.message == "a rule that adds risk cannot read risk"


@pytest.mark.parametrize("key", LATER)
def test_effects_of_the_wider_language_are_refused_with_the_reason(key):
    with pytest.raises(PolicyError) as caught:
        _rule(f"id: a\nwhen: true\n{key}: [x]")
    assert (caught.value.line, caught.value.column) == (3, 1)
    assert caught.value.message == f"{key} is not available in this version: {LATER[key]}"
    for effect in EFFECTS:
        assert effect in caught.value.hint


def test_kinds_may_be_all_or_listed():
    def kinds(text: str) -> frozenset[str]:
        redact = _rule(_HEAD + f"redact: {{kinds: {text}}}").rule.redact
        assert redact is not None
        assert redact.kinds is not None
        return redact.kinds

    assert kinds("all") == frozenset()
    assert kinds("[A, B, A]") == {"A", "B"}


def test_kinds_that_no_detector_finds_are_refused_where_the_kinds_are_known():
    read = read_kinds(frozenset({"EMAIL_ADDRESS"}))
    assert read(read_yaml("[EMAIL_ADDRESS]")) == {"EMAIL_ADDRESS"}
    with pytest.raises(PolicyError, match="no detector finds EMAIL_ADRESS") as caught:
        read(read_yaml("[EMAIL_ADRESS]"))
    assert caught.value.hint == 'did you mean "EMAIL_ADDRESS"?'
