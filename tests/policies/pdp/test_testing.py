"""The tests of a document run on the document alone, and say what they expected and got."""

import pytest

from policies.pdp.language import parse_document
from policies.pdp.testing import CaseResult, run_cases

_RULES = """\
policy: p
default: permit
rules:
  - {id: no, when: pii.count > 5, deny: {message: No}}
  - {id: no-too, when: pii.count > 6, deny: {message: No}}
  - {id: mask, when: pii.count > 1, redact: {kinds: [B, A]}}
  - {id: all, when: call.stream, redact: {}}
  - {id: small, when: call.n > 1, route: small, cap: {max_output_tokens: 9}}
  - {id: dark, when: call.n > 1, mode: shadow, deny: {message: No}}
  - {id: answer, phase: answer, when: answer.bytes > 1, deny: {message: No}}
"""


def _run(case: str) -> CaseResult:
    (result,) = run_cases(parse_document(f"{_RULES}tests:\n  - {{name: t, {case}}}\n"))
    assert (result.name, result.line) == ("t", 12)
    return result


@pytest.mark.parametrize(
    "case",
    [
        "expect: {permit: true}",
        "given: {pii.count: 5}, expect: {permit: true}",
        "given: {pii.count: 6}, expect: {deny: no}",
        "given: {pii.count: 7}, expect: {deny: no}",
        "given: {pii.count: 7}, expect: {deny: no-too}",
        "given: {pii.count: 2}, expect: {redact: [A, B]}",
        "given: {pii.count: 2, call.stream: true}, expect: {redact: all}",
        "given: {call.n: 2}, expect: {route: small}",
        "given: {call.n: 2}, expect: {cap: 9, route: small, permit: true}",
        "phase: answer, given: {answer.bytes: 2}, expect: {deny: answer}",
        "phase: answer, given: {answer.bytes: 1}, expect: {permit: true}",
    ],
)
def test_cases_that_pass(case):
    assert _run(case).passed


@pytest.mark.parametrize(
    ("case", "expected", "got"),
    [
        ("given: {pii.count: 6}, expect: {permit: true}", "permit", "deny by no"),
        ("expect: {deny: no}", "deny by no", "permit"),
        (
            "given: {pii.count: 7}, expect: {deny: mask}",
            "deny by mask",
            "deny by no, deny by no-too",
        ),
        ("given: {call.n: 2}, expect: {deny: dark}", "deny by dark", "permit, cap 9, route small"),
        ("given: {pii.count: 2}, expect: {redact: [A]}", "permit, redact A", "permit, redact A B"),
        (
            "given: {pii.count: 2}, expect: {redact: all}",
            "permit, redact all",
            "permit, redact A B",
        ),
        ("expect: {redact: all}", "permit, redact all", "permit"),
        ("given: {call.n: 2}, expect: {cap: 8}", "permit, cap 8", "permit, cap 9, route small"),
        (
            "given: {call.n: 2}, expect: {route: big}",
            "permit, route big",
            "permit, cap 9, route small",
        ),
    ],
)
def test_cases_that_fail_say_what_was_expected_and_what_came(case, expected, got):
    result = _run(case)
    assert not result.passed
    assert (result.expected, result.got) == (expected, got)


def test_the_default_of_a_closed_policy_can_be_expected():
    text = "policy: p\ntests:\n  - {name: closed, expect: {deny: default}}\n"
    (result,) = run_cases(parse_document(text))
    assert result.passed


def test_a_document_without_tests_has_no_results():
    assert run_cases(parse_document("policy: p")) == ()
