"""Whole documents: what they say, what is wrong with them and where, and their stored form."""

import contextlib
import json
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.language import (
    PATTERNS_MAX,
    RULES_MAX,
    Document,
    PolicyError,
    load_canonical,
    parse_document,
)
from tests.policies.pdp.random_documents import random_text

HOUSE_RULES = """\
policy: house-rules
description: What every app of the company must obey.
default: permit
rules:
  - id: mask-pii
    when: findings.exists(f, f.category == "pii" && f.score >= 0.5)
    redact: {kinds: [EMAIL_ADDRESS, CREDIT_CARD], min_score: 0.4, method: mask}
  - id: injection-signals
    when: injection.score >= 0.6
    risk: 50
    on_error: deny
  - id: risky
    when: risk >= 80
    deny: {message: "Risk score {risk} is over 80."}
  - id: interns
    when: app.tier == "free" && model.asked.startsWith("gpt-4")
    route: gpt-4o-mini
    cap: {max_output_tokens: 512}
    mode: shadow
  - id: answers
    phase: answer
    when: "!(answer.pii.count == 0)"
    deny: {message: The answer holds personal data., remedy: Ask without names.}
tests:
  - {name: plain question passes, given: {}, expect: {permit: true}}
  - name: an answer with data
    phase: answer
    given: {answer.pii.count: 1}
    expect: {deny: answers}
"""


def test_a_document_reads_aloud():
    document = parse_document(HOUSE_RULES)
    assert (document.name, document.default_permit) == ("house-rules", True)
    assert document.description == "What every app of the company must obey."
    assert [(rule.id, rule.line) for rule in document.rules] == [
        ("mask-pii", 5),
        ("injection-signals", 8),
        ("risky", 12),
        ("interns", 15),
        ("answers", 20),
    ]
    assert [case.line for case in document.tests] == [25, 26]
    assert document.source == HOUSE_RULES


def test_a_policy_without_a_default_denies():
    document = parse_document("policy: closed")
    assert document.default_permit is False
    assert (document.rules, document.tests, document.description) == ((), (), "")
    assert parse_document("policy: closed\ndefault: deny") == document


def test_the_canonical_form_is_json_with_the_defaults_written_out():
    document = parse_document(
        "policy: a\nrules:\n  - {id: r, when: 'risk>1', deny: {message: é}}\n"
        "  - {id: s, when: true, permit: true, redact: {}, cap: {max_output_tokens: 5}, route: m,"
        " on_error: skip}\n"
        "tests:\n  - {name: t, given: {pii.max_score: 1, call.tools: [x], findings: "
        "[{kind: A, category: pii, score: 1}]}, expect: {redact: all, permit: true}}\n"
        "  - {name: u, expect: {deny: r}}"
    )
    assert json.loads(document.canonical()) == {
        "language": 1,
        "policy": "a",
        "description": "",
        "default": "deny",
        "rules": [
            {
                "id": "r",
                "phase": "request",
                "mode": "enforce",
                "when": "risk > 1",
                "on_error": "deny",
                "deny": {"message": "é", "remedy": ""},
            },
            {
                "id": "s",
                "phase": "request",
                "mode": "enforce",
                "when": "true",
                "on_error": "skip",
                "permit": True,
                "redact": {"kinds": "all", "min_score": 0.4, "method": "mask"},
                "cap": {"max_output_tokens": 5},
                "route": "m",
            },
        ],
        "tests": [
            {
                "name": "t",
                "phase": "request",
                "given": {
                    "pii.max_score": 1.0,
                    "call.tools": ["x"],
                    "findings": [
                        {"kind": "A", "category": "pii", "score": 1.0, "place": "user", "count": 1}
                    ],
                },
                "expect": {"redact": "all", "permit": True},
            },
            {"name": "u", "phase": "request", "given": {}, "expect": {"deny": "r"}},
        ],
    }
    assert b"\n" not in document.canonical()
    assert "é".encode() in document.canonical()


def test_spelling_and_comments_do_not_change_the_hash_but_meaning_does():
    document = parse_document(HOUSE_RULES)
    respelt = HOUSE_RULES.replace("injection.score >= 0.6", "'((injection.score>=0.60))' # why")
    assert parse_document(respelt).hash == document.hash
    assert len(document.hash) == 64
    for old, new in (
        ("0.6", "0.7"),
        ("mode: shadow", "mode: enforce"),
        ("risk: 50", "risk: 51"),
        ("default: permit", "default: deny"),
        ("Ask without", "Ask with"),
        ("on_error: deny", "on_error: skip"),
    ):
        assert parse_document(HOUSE_RULES.replace(old, new)).hash != document.hash


def _round_trip(document: Document) -> None:
    loaded = load_canonical(document.canonical())
    assert loaded == document
    assert loaded.canonical() == document.canonical()
    assert loaded.hash == document.hash


def test_the_stored_form_is_the_document():
    _round_trip(parse_document(HOUSE_RULES))
    assert load_canonical(parse_document(HOUSE_RULES).canonical()).rules[0].line == 0


@given(st.integers(0, 2**32))
def test_any_document_survives_its_stored_form(seed):
    _round_trip(parse_document(random_text(Random(seed))))


@pytest.mark.parametrize(
    "condition",
    [
        "||".join(["risk>1"] * 126),
        "app.tier=='" + "\\x7f" * 4000 + "'",
        "app.tier=='" + "\\t" * 4000 + "'",
    ],
    ids=["blanks", "escapes", "tabs"],
)
def test_a_condition_that_grows_when_it_is_stored_can_be_loaded(condition):
    text = f'policy: p\nrules:\n  - id: a\n    when: "{condition}"\n    deny: {{message: x}}\n'
    document = parse_document(text)
    _round_trip(document)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.replace(b'"language":1', b'"language":2'), "2 is not between 1 and 1"),
        (lambda data: data.replace(b'"language":1,', b""), "needs the key language"),
        (lambda data: data.replace(b'"risk":50', b'"risk":0'), "is not between 1"),
        (lambda data: data.replace(b'"id":"risky"', b'"id":5'), "expected a text"),
        (lambda data: data.replace(b"risk >= 80", b"risk>=80"), "not in its canonical form"),
        (lambda data: data + b" ", "not in its canonical form"),
        (lambda data: data.replace(b'"mode":"enforce",', b"", 1), "not in its canonical form"),
        (lambda data: data[:-1], "not JSON"),
        (lambda data: b"[" + data + b"]", "must be keys with values"),
    ],
)
def test_what_is_not_the_canonical_form_is_refused(change, words):
    data = parse_document(HOUSE_RULES).canonical()
    with pytest.raises(PolicyError) as caught:
        load_canonical(change(data))
    assert words in str(caught.value)
    assert caught.value.line == 0


_RULE = "  - {id: a, when: true, risk: 1}\n"


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("[]", [(1, 1, "a policy must be keys with values")]),
        ("rules: []", [(1, 1, "a policy needs the key policy")]),
        ("policy: a b", [(1, 9, "is not a name")]),
        ("policy: 12", [(1, 9, "expected a text")]),
        ("policy: a\ndefault: allow", [(2, 10, "one of permit, deny")]),
        ("policy: a\ndescription: [x]", [(2, 14, "expected a text")]),
        ("policy: a\nrules: {a: b}", [(2, 8, "expected a list")]),
        ("policy: a\nrule:\n" + _RULE, [(2, 1, 'no key "rule"')]),
        ("policy: a\nlanguage: 1", [(2, 1, 'no key "language"')]),
        ("policy: a\nrules:\n" + _RULE + _RULE, [(4, 10, 'the rule id "a" stands twice')]),
        (
            "policy: a\nrules:\n  - {id: a, when: true, route: x}\n"
            "  - id: b\n    when: true\n    route: x\n"
            "  - {id: c, when: true, route: x, mode: shadow}\n",
            [(6, 5, "the rule a routes already")],
        ),
        (
            "policy: a\ndefult: permit\nrules:\n  - id: a\n    whn: true\n    risk: 0\n"
            "  - id: b\n    when: risk > 'a'\n    deny: {message: '{x}', remdy: x}\n"
            "tests:\n  - {name: x, expect: {deny: gone}}\n",
            [
                (2, 1, 'no key "defult"'),
                (4, 5, "a rule needs the key when"),
                (5, 5, 'no key "whn"'),
                (6, 11, "is not between"),
                (8, 16, "cannot compare int with string"),
                (9, 23, "unknown fact"),
                (9, 28, 'no key "remdy"'),
            ],
        ),
        (
            "policy: a\nrules:\n" + _RULE + "tests:\n  - {name: x, expect: {deny: gone}}\n"
            "  - {name: x, expect: {deny: default}}\n  - {name: y, given: {risk: 1}}",
            [
                (5, 30, 'no rule has the id "gone"'),
                (7, 5, "a test needs the key expect"),
                (7, 23, "risk is computed"),
            ],
        ),
    ],
)
def test_every_fault_of_a_document_is_told_with_its_place(text, places):
    with pytest.raises(PolicyError) as caught:
        parse_document(text)
    found = [(problem.line, problem.column) for problem in caught.value.problems]
    assert found == [place[:2] for place in places]
    for problem, (_, _, words) in zip(caught.value.problems, places, strict=True):
        assert words in problem.message


def test_an_error_shows_the_line_and_the_caret():
    with pytest.raises(PolicyError) as caught:
        parse_document("policy: a\nrules:\n  - {id: a, when: call.byte > 5, risk: 1}\n")
    assert str(caught.value) == (
        '3:19: unknown fact "call.byte"\n'
        "    - {id: a, when: call.byte > 5, risk: 1}\n"
        "                    ^\n"
        '  hint: did you mean "call.bytes"?'
    )


def test_an_unquoted_exclamation_mark_is_explained():
    with pytest.raises(PolicyError) as caught:
        parse_document("policy: a\nrules:\n  - id: a\n    when: !user.present\n    risk: 1\n")
    assert (caught.value.line, caught.value.column) == (4, 11)
    assert caught.value.message == "an unquoted ! starts a YAML tag"
    assert 'when: "!user.present"' in caught.value.hint


def test_kinds_are_checked_where_they_are_known():
    text = "policy: a\nrules:\n  - {id: a, when: true, redact: {kinds: [EMAIL_ADRESS]}}\n"
    assert parse_document(text).rules[0].redact is not None
    with pytest.raises(PolicyError, match="3:42: no detector finds EMAIL_ADRESS"):
        parse_document(text, frozenset({"EMAIL_ADDRESS"}))


def test_the_number_of_rules_is_bounded():
    rules = "".join(f"- {{id: r{number}, when: true, risk: 1}}\n" for number in range(RULES_MAX))
    assert len(parse_document(f"policy: a\nrules:\n{rules}").rules) == RULES_MAX
    with pytest.raises(PolicyError, match="more than 500 items"):
        parse_document(f"policy: a\nrules:\n{rules}- {{id: x, when: true, risk: 1}}\n")


def test_the_number_of_patterns_is_bounded():
    def text(patterns: int) -> str:
        rules = "".join(
            f"- {{id: r{number}, when: 'app.tier.matches(\"a{number}\")', risk: 1}}\n"
            for number in range(patterns)
        )
        return f"policy: a\nrules:\n{rules}"

    assert len(parse_document(text(PATTERNS_MAX)).rules) == PATTERNS_MAX
    with pytest.raises(PolicyError, match="2:1: there are more than 200 matches"):
        parse_document(text(PATTERNS_MAX + 1))


@given(st.text(max_size=80))
def test_garbage_is_refused(text):
    with pytest.raises(PolicyError):
        parse_document(text)
    with pytest.raises(PolicyError):
        load_canonical(text.encode("utf-8", "replace"))


@given(st.binary(max_size=80))
def test_garbage_bytes_are_refused(data):
    with pytest.raises(PolicyError):
        load_canonical(data)


@given(
    seed=st.integers(0, 2**32),
    offset=st.integers(0, 5000),
    width=st.integers(0, 8),
    piece=st.one_of(
        st.text(max_size=4),
        st.sampled_from(
            ["!", "&a ", "*a", "|", ">", "'", '"', "[", "{", "- ", ": ", "\n", "%", "#"]
        ),
    ),
    json_form=st.booleans(),
)
def test_damaged_documents_are_refused_or_sound(seed, offset, width, piece, json_form):
    """Whatever is taken can be stored and loaded; nothing but PolicyError comes out."""
    text = random_text(Random(seed), most=3) if json_form else HOUSE_RULES
    offset %= len(text)
    damaged = text[:offset] + piece + text[offset + width :]
    with contextlib.suppress(PolicyError):
        _round_trip(parse_document(damaged))


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 8192,
        "!" * 8192,
        "[" * 8192,
        "true" + " || true" * 1000,
        "app.tier.matches('(a{100}){10}') || " * 100 + "true",
        "app.tier == '" + "x" * 8000 + "'",
    ],
    ids=lambda text: text[:12],
)
def test_no_condition_of_a_document_takes_long(condition):
    rules = [{"id": f"r{number}", "when": condition, "risk": 1} for number in range(7)]
    started = time.process_time()
    with pytest.raises(PolicyError):
        parse_document(json.dumps({"policy": "p", "rules": rules}))
    assert time.process_time() - started < 2.0
