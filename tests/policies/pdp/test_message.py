"""Sentences show facts by name and evaluate nothing."""

import pytest

from policies.pdp.expression.tokens import ExpressionError
from policies.pdp.message import VALUE_LENGTH_MAX, parse_message, plain
from policies.pdp.request import DEFAULTS, SLOTS, FactValue


def _render(text: str, **facts: FactValue) -> str:
    slots = list(DEFAULTS)
    for name, value in facts.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return parse_message(text, "answer").render(slots)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("No facts.", "No facts."),
        ("{risk}", "80"),
        ("Risk {risk} of {pii.kinds}.", "Risk 80 of EMAIL, PHONE."),
        ("{call.stream} {user.present}", "true false"),
        ("{pii.max_score}", "0.85"),
        ("[{app.tier}]", "[]"),
        ("{model.asked}{model.asked}", "{risk}{risk}"),
        ("{{risk}} is {risk}", "{risk} is 80"),
        ("{{{risk}}}", "{80}"),
        ("{answer.bytes}", "0"),
        ("%s $x {risk}", "%s $x 80"),
    ],
)
def test_names_between_braces_become_values(text, shown):
    got = _render(
        text,
        risk=80,
        pii__kinds=["EMAIL", "PHONE"],
        pii__max_score=0.85,
        call__stream=True,
        model__asked="{risk}",
    )
    assert got == shown


def test_long_values_are_cut():
    shown = _render("{user.id}!", user__id="x" * 1000)
    assert shown == "x" * (VALUE_LENGTH_MAX - 1) + "…!"
    assert _render("{user.id}", user__id="x" * VALUE_LENGTH_MAX) == "x" * VALUE_LENGTH_MAX


def test_a_message_names_the_facts_that_it_shows():
    assert parse_message("{risk} and {{x}} and {pii.kinds}", "request").facts == (
        "risk",
        "pii.kinds",
    )
    assert plain("{not parsed}").facts == ()
    assert plain("{not parsed}").render(()) == "{not parsed}"


@pytest.mark.parametrize(
    ("text", "offset", "words", "hint"),
    [
        ("a {pii.kind}", 3, 'unknown fact "pii.kind"', 'did you mean "pii.kinds"?'),
        ("a {}", 3, 'unknown fact ""', "{{ or }}"),
        ("a { risk }", 3, 'unknown fact " risk "', ""),
        ("a {risk.__class__}", 3, "unknown fact", ""),
        ("a {risk!r}", 3, "unknown fact", ""),
        ("a {0}", 3, "unknown fact", ""),
        ("a { b", 2, "stands alone", "{{ or }}"),
        ("a } b", 2, "stands alone", "{{ or }}"),
        ("{findings}", 1, "cannot be shown", "pii.kinds"),
        ("é {answer.bytes}", 3, "not known in the request phase", "phase: answer"),
    ],
)
def test_what_is_no_fact_is_refused_at_its_offset(text, offset, words, hint):
    with pytest.raises(ExpressionError) as caught:
        parse_message(text, "request")
    assert caught.value.offset == offset
    assert words in caught.value.message
    assert hint in caught.value.hint
