"""The tests of a document: typed facts in, an expectation out."""

import pytest

from policies.pdp.cases import read_case
from policies.pdp.document import Case, Expectation
from policies.pdp.problem import PolicyError
from policies.pdp.request import FindingFact
from policies.pdp.yaml_text import read_yaml


def _case(text: str) -> Case:
    return read_case(frozenset({"no-secrets", "risky"}))(read_yaml(text))


def test_a_case_with_facts_of_every_type():
    case = _case(
        "name: all types\ngiven:\n  user.present: true\n  pii.count: 2\n  pii.max_score: 1\n"
        "  app.tier: free\n  call.tools: [a, b]\n"
        "  findings:\n    - {kind: EMAIL, category: pii, score: 0.5}\n"
        "    - {kind: X, category: injection, score: 1, place: tool, count: 3}\n"
        "expect: {permit: true}"
    )
    assert (case.name, case.phase, case.line) == ("all types", "request", 1)
    assert dict(case.given) == {
        "user.present": True,
        "pii.count": 2,
        "pii.max_score": 1.0,
        "app.tier": "free",
        "call.tools": ("a", "b"),
        "findings": (
            FindingFact("EMAIL", "pii", 0.5, "user", 1),
            FindingFact("X", "injection", 1.0, "tool", 3),
        ),
    }
    assert case.expect == Expectation(permit=True)


def test_given_facts_are_kept_in_the_order_of_the_table():
    case = _case("{name: x, given: {pii.count: 1, app.tier: a}, expect: {permit: true}}")
    assert [name for name, _ in case.given] == ["app.tier", "pii.count"]


def test_a_case_of_the_answer_phase_may_give_risk_and_facts_of_the_answer():
    case = _case(
        "{name: x, phase: answer, given: {answer.bytes: 5, risk: 3}, expect: {permit: true}}"
    )
    assert case.phase == "answer"
    assert dict(case.given) == {"answer.bytes": 5, "risk": 3}


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("{deny: risky}", Expectation(deny="risky")),
        ("{deny: default}", Expectation(deny="default")),
        ("{permit: true}", Expectation(permit=True)),
        ("{redact: [A, B]}", Expectation(redact=frozenset({"A", "B"}))),
        ("{redact: all}", Expectation(redact=frozenset())),
        ("{route: m, cap: 5}", Expectation(route="m", cap=5)),
    ],
)
def test_expectations(text, expect):
    assert _case(f"{{name: x, expect: {text}}}").expect == expect


_HEAD = "name: x\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "hint"),
    [
        ("expect: {permit: true}", 1, 1, "a test needs the key name", ""),
        ("name: x", 1, 1, "a test needs the key expect", ""),
        ("name: ''\nexpect: {permit: true}", 1, 7, "the text is empty", ""),
        (_HEAD + "expct: {permit: true}\nexpect: {permit: true}", 2, 1, 'no key "expct"', "expect"),
        (_HEAD + "phase: x\nexpect: {permit: true}", 2, 8, "one of request, answer", ""),
        (_HEAD + "expect: {}", 2, 9, "expects nothing", "permit: true"),
        (_HEAD + "expect: {permit: false}", 2, 18, "only true", ""),
        (_HEAD + "expect: {deny: riski}", 2, 16, 'no rule has the id "riski"', "risky"),
        (_HEAD + "expect: {deny: risky, cap: 5}", 2, 10, "nothing else", ""),
        (_HEAD + "expect: {redact: []}", 2, 18, "the list is empty", "write all"),
        (_HEAD + "expect: {cap: 0}", 2, 15, "is not between", ""),
        (_HEAD + "given: []\nexpect: {permit: true}", 2, 8, "given must be keys", ""),
        (_HEAD + "given: {pii.cont: 1}\nexpect: {permit: true}", 2, 9, 'no key "pii.cont"',
         "pii.count"),
        (_HEAD + "given: {pii.count: a}\nexpect: {permit: true}", 2, 20, "a whole number", ""),
        (_HEAD + "given: {pii.count: 1.5}\nexpect: {permit: true}", 2, 20, "a whole number", ""),
        (_HEAD + "given: {pii.count: 9223372036854775808}\nexpect: {permit: true}", 2, 20,
         "is not between", ""),
        (_HEAD + "given: {pii.max_score: .inf}\nexpect: {permit: true}", 2, 24, "not between", ""),
        (_HEAD + "given: {app.tier: 5}\nexpect: {permit: true}", 2, 19, "expected a text", ""),
        (_HEAD + "given: {call.tools: a}\nexpect: {permit: true}", 2, 21, "expected a list", ""),
        (_HEAD + "given: {call.tools: [1]}\nexpect: {permit: true}", 2, 22, "expected a text", ""),
        (_HEAD + "given: {user.present: 1}\nexpect: {permit: true}", 2, 23, "true or false", ""),
        (_HEAD + "given: {findings: [{kind: A, category: pii}]}\nexpect: {permit: true}", 2, 20,
         "a finding needs the key score", ""),
        (_HEAD + "given: {risk: 5}\nexpect: {permit: true}", 2, 9, "risk is computed", "add it"),
        (_HEAD + "given: {answer.bytes: 5}\nexpect: {permit: true}", 2, 9,
         "not known in the request phase", "phase: answer"),
    ],
)  # fmt: skip
def test_faults_stand_where_they_are(text, line, column, words, hint):
    with pytest.raises(PolicyError) as caught:
        _case(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_without_the_rules_any_id_is_taken():
    case = read_case(None)(read_yaml("{name: x, expect: {deny: whatever}}"))
    assert case.expect.deny == "whatever"
