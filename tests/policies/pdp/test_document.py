"""Documents are values: equal where they mean the same, whatever text they came from."""

import dataclasses
import json

import pytest

from policies.pdp.language import parse_document

_TEXT = "policy: a\ndefault: permit\nrules:\n  - {id: r, when: risk > 1, deny: {message: x}}\n"


def test_equality_ignores_text_and_places():
    first, second = parse_document(_TEXT), parse_document("# a comment\n" + _TEXT)
    assert first == second
    assert first.rules[0].line != second.rules[0].line
    assert first.source != second.source


def test_documents_cannot_be_changed():
    document = parse_document(_TEXT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        document.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        document.rules[0].mode = "disabled"


def test_canonical_form_and_hash_are_computed_once():
    document = parse_document(_TEXT)
    assert document.canonical() is document.canonical()
    assert document.hash is document.hash


def test_a_rule_names_what_it_reads_once_in_order():
    rule = parse_document(_TEXT.replace("risk > 1", "risk > 1 && call.n > 1 && risk < 5")).rules[0]
    assert rule.reads == ("risk", "call.n")
    assert rule.shows == ()
    assert rule.detectors == frozenset()


def test_a_redaction_depends_on_the_detector_of_personal_data():
    rule = parse_document(_TEXT.replace("deny: {message: x}", "redact: {}")).rules[0]
    assert rule.detectors == {"pii", "ner"}


def test_the_canonical_form_names_every_effect():
    effects = (
        "permit: true, redact: {kinds: [B, A]}, cap: {max_output_tokens: 3}, route: m, risk: 2"
    )
    text = _TEXT.replace("risk > 1, deny: {message: x}", f"call.n > 1, {effects}")
    rule = json.loads(parse_document(text).canonical())["rules"][0]
    assert rule["permit"] is True
    assert rule["redact"] == {"kinds": ["A", "B"], "min_score": 0.4, "method": "mask"}
    assert rule["cap"] == {"max_output_tokens": 3}
    assert (rule["route"], rule["risk"]) == ("m", 2)
    assert "deny" not in rule


def test_the_canonical_form_names_what_tests_give_and_expect():
    tests = (
        "tests:\n  - {name: t, given: {risk: 1, call.tools: [a], findings: "
        "[{kind: A, category: pii, score: 1}]}, phase: answer, expect: {redact: [B, A]}}\n"
    )
    case = json.loads(parse_document(_TEXT + tests).canonical())["tests"][0]
    assert case["given"]["findings"] == [
        {"kind": "A", "category": "pii", "score": 1.0, "place": "user", "count": 1}
    ]
    assert case["given"]["call.tools"] == ["a"]
    assert case["expect"] == {"redact": ["A", "B"]}


def test_documents_of_different_meaning_have_different_canonical_forms():
    first = parse_document(_TEXT)
    for changed in (
        _TEXT.replace("policy: a", "policy: b"),
        _TEXT.replace("risk > 1", "risk > 2"),
        _TEXT.replace("message: x", "message: x, remedy: y"),
        _TEXT + "tests:\n  - {name: t, expect: {permit: true}}\n",
        _TEXT + "description: d\n",
    ):
        assert parse_document(changed) != first
        assert parse_document(changed).canonical() != first.canonical()
