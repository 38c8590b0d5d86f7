"""Conditions parse to typed trees; every fault has its offset and, where possible, a way out."""

import contextlib
import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.parser import DEPTH_MAX, NODES_MAX, parse_condition
from policies.pdp.expression.tokens import ExpressionError
from policies.pdp.expression.tree import Constant, Element, FactUse, Operation, Quantifier
from tests.policies.pdp.random_conditions import Conditions


def test_operators_bind_as_in_cel():
    tree = parse_condition("user.present || call.stream && !call.stream == user.present")
    assert format_condition(tree) == ("user.present || call.stream && !call.stream == user.present")
    assert isinstance(tree, Operation)
    assert tree.operator == "||"
    conjunction = tree.operands[1]
    assert isinstance(conjunction, Operation)
    assert [type(operand) for operand in conjunction.operands] == [FactUse, Operation]
    equality = conjunction.operands[1]
    assert isinstance(equality, Operation)
    assert equality.operator == "=="


def test_the_longest_dotted_name_is_the_fact():
    tree = parse_condition('answer.pii.count > 0 && model.asked.startsWith("a")')
    assert isinstance(tree, Operation)
    first, second = tree.operands
    assert first == Operation(">", (FactUse("answer.pii.count", "int"), Constant(0, "int")), "bool")
    assert isinstance(second, Operation)
    assert second.operands == (FactUse("model.asked", "string"), Constant("a", "string"))


def test_a_quantifier_binds_its_element():
    tree = parse_condition('findings.exists(f, f.score > 0.5 && f.kind in ["A"])')
    assert isinstance(tree, Quantifier)
    assert (tree.kind, tree.over, tree.variable) == (
        "exists",
        FactUse("findings", "list<finding>"),
        "f",
    )
    assert tree.type == "bool"
    body = tree.body
    assert isinstance(body, Operation)
    assert body.operands[0] == Operation(
        ">", (Element("f", "score", "double"), Constant(0.5, "double")), "bool"
    )
    words = parse_condition('call.tools.all(t, t.contains("x"))')
    assert isinstance(words, Quantifier)
    assert isinstance(words.body, Operation)
    assert words.body.operands[0] == Element("t", "", "string")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("risk == 007", 7),
        ("risk == -5", -5),
        ("risk == - 5", -5),
        ("risk == 9223372036854775807", 2**63 - 1),
        ("risk == -9223372036854775808", -(2**63)),
        ("pii.max_score == 1.5e-3", 0.0015),
        ("pii.max_score == -1e2", -100.0),
        ("call.stream == true", True),
        ("call.stream == false", False),
        ("app.tier == 'a'", "a"),
        ("risk in [1, -2]", (1, -2)),
        ("call.stream in [true]", (True,)),
    ],
)
def test_constants(text, value):
    tree = parse_condition(text)
    assert isinstance(tree, Operation)
    constant = tree.operands[1]
    assert isinstance(constant, Constant)
    assert constant.value == value
    assert type(constant.value) is type(value)


def test_the_same_operator_inside_parentheses_is_one_operation():
    assert parse_condition("true && (false && call.stream)") == parse_condition(
        "(true && false) && call.stream"
    )


def test_places_are_no_part_of_equality():
    spaced = parse_condition("  risk   >  1 ")
    assert spaced == parse_condition("risk>1")
    assert isinstance(spaced, Operation)
    assert [operand.at for operand in spaced.operands] == [2, 12]


_KNOWN_KINDS = "its fields are kind, category, score, place, count"


@pytest.mark.parametrize(
    ("text", "offset", "words", "hint"),
    [
        ("", 0, "expected a value, the condition ends here", ""),
        ("risk >", 6, "expected a value", ""),
        ("risk > 1 )", 9, 'expected && or || or the end, found ")"', ""),
        ("(risk > 1", 9, "expected ), the condition ends here", ""),
        ("risk > 1 and true", 9, 'found "and"', "write &&"),
        ("risk > 1 OR true", 9, 'found "OR"', "write ||"),
        ("not true", 0, 'expected a value, found "not"', "write !"),
        ("call.bytes - 1 > 2", 11, 'found "-"', "arithmetic"),
        ("risk > -", 8, "expected a number after -", ""),
        ("risk > -true", 8, "expected a number after -", ""),
        ("risk == 1 == true", 10, "do not chain", "&&"),
        ("risk in [1] in [2]", 12, "do not chain", "&&"),
        ("risk == 9223372036854775808", 8, "at most 64 bits", ""),
        ("risk == -9223372036854775809", 8, "at most 64 bits", ""),
        (f"risk == {'9' * 400}", 8, "at most 64 bits", ""),
        ("pii.max_score == 1e999", 17, "too large", ""),
        # Facts
        ("call.byte > 5", 0, 'unknown fact "call.byte"', 'did you mean "call.bytes"?'),
        ("true && call.qqqqqq > 5", 8, "unknown fact", "known: call.endpoint, call.stream"),
        ("zzz", 0, "unknown fact", "known: answer, app, budget, call"),
        ("rate.left > 0", 0, "rate.left is not available in this version", "available:"),
        ("budget.left > 0", 0, "is not available in this version", "available:"),
        ("source.address == 'a'", 0, "source.address is not available", "available:"),
        ("model.__class__ == 'a'", 0, 'unknown fact "model.__class__"', ""),
        ("pii.count.x > 1", 10, 'type int has no member "x"', ""),
        ('call.n."x" > 1', 7, "expected the name of a method", ""),
        # Types
        ("risk", 0, "a condition must be true or false, this is a value of type int", "> 0"),
        ("pii.max_score", 0, "of type double", ">= 0.5"),
        ("app.tier", 0, "of type string", ""),
        ("findings", 0, "of type list<finding>", "size(...) > 0"),
        ("!risk", 1, "the operand of ! must be", "> 0"),
        ("true && risk", 8, "an operand of && must be", ""),
        ("risk || true", 0, "an operand of || must be", ""),
        ("risk > 'a'", 5, "cannot compare int with string", ""),
        ("pii.max_score > 1", 14, "cannot compare double with int", "write 1.0"),
        ("1.0 < risk", 4, "cannot compare double with int", "whole number"),
        ("risk > pii.max_score", 5, "cannot compare int with double", ""),
        ("call.tools == call.roles", 11, "list<string> cannot be compared", "use in"),
        ("call.stream > true", 12, "> is not defined for bool", "== or !="),
        # in and lists
        ("'x' in model.asked", 7, "needs a list<string> on its right", ".contains"),
        ("1 in call.tools", 5, "needs a list<int> on its right", ""),
        ("risk in 5", 8, "needs a list<int>", ""),
        ("risk in [1, 2.0]", 12, "one type: double after int", ""),
        ("risk in [risk]", 9, "constants only", ""),
        ("risk in [[1]]", 9, "constants only", ""),
        ("risk in []", 8, "the list is empty", ""),
        ("risk in [1 2]", 11, "expected ,", ""),
        ("risk in [1,]", 11, "expected a value", ""),
        ("[1] == [1]", 4, "cannot be compared", ""),
        # Functions and methods
        ("foo(1)", 0, 'unknown function "foo"', "the only function is size"),
        ("siz(call.tools) > 1", 0, 'unknown function "siz"', 'did you mean "size"?'),
        ("has(user.id)", 0, 'unknown function "has"', "always has a value"),
        ("size() > 1", 0, "takes one value", ""),
        ("size(risk) > 1", 5, "takes a string or list of a fact, this is int", ""),
        ("size('abc') > 1", 5, "takes a string or list of a fact", ""),
        ("call.tools.size() > 1", 11, 'no member "size"', "write size(...)"),
        ("app.tier.startsWit('a')", 9, 'no member "startsWit"', 'did you mean "startsWith"?'),
        ("app.tier.startsWith > 1", 20, "expected (", ""),
        ("app.tier.contains()", 9, "takes one string", ""),
        ("app.tier.contains(1)", 9, "takes one string", ""),
        ("call.tools.contains('a')", 11, "not defined for list<string>", "in the list"),
        ("risk.contains('a')", 5, "not defined for int", ""),
        ("app.tier.matches(app.name)", 17, "constant pattern", ""),
        ("app.tier.matches('(a')", 17, "RE2 refuses the pattern: missing )", "look-around"),
        ("app.tier.matches('(?=a)')", 17, "RE2 refuses", "no look-around"),
        # Quantifiers
        ("app.tier.exists(x, true)", 9, "for facts that are lists", ""),
        ("findings.exists(f, call.tools.all(t, true))", 30, "inside one another", ""),
        ("findings.exists(call, true)", 16, "new name", "as in findings.exists"),
        ("findings.exists(in, true)", 16, "new name", ""),
        ("findings.exists('f', true)", 16, "new name", ""),
        ("findings.exists(f true)", 18, "expected ,", ""),
        ("findings.exists(f, true", 23, "expected )", ""),
        ("findings.exists(f, f.score)", 19, "what exists(...) asks must be true", ""),
        ("findings.exists(f, f)", 19, 'name a field of "f"', _KNOWN_KINDS),
        ("findings.exists(f, f.scor > 0.5)", 21, 'no field "scor"', 'did you mean "score"?'),
        ("findings.exists(f, f.zzz > 0.5)", 21, 'no field "zzz"', _KNOWN_KINDS),
        ("findings.exists(f, f.'kind' == 'a')", 21, "expected a field", ""),
        ("findings.exists(f, true) && f.score > 0.1", 28, 'unknown fact "f.score"', ""),
    ],
)
def test_faults_have_their_offset_and_a_way_out(text, offset, words, hint):
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text)
    assert caught.value.offset == offset
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_a_string_is_never_taken_for_a_sign_or_a_name():
    for text in (
        'risk "in" [1]',
        'app.tier"."startsWith("a")',
        'app.tier."startsWith"("a")',
        'call.stream "&&" true',
        '"size"(call.tools) > 1',
        '"true"',
        '"call.stream"',
    ):
        with pytest.raises(ExpressionError):
            parse_condition(text)


@pytest.mark.parametrize("nest", ["(", "!(", "!"])
def test_the_depth_is_bounded(nest):
    def nested(depth):
        return nest * depth + "true" + ")" * (depth if "(" in nest else 0)

    allowed = max(depth for depth in range(DEPTH_MAX + 2) if _parses(nested(depth)))
    assert DEPTH_MAX // 2 - 1 <= allowed <= DEPTH_MAX
    with pytest.raises(ExpressionError, match="nested more than"):
        parse_condition(nested(allowed + 1))


def _parses(text: str) -> bool:
    try:
        parse_condition(text)
    except ExpressionError:
        return False
    return True


def test_the_number_of_parts_is_bounded():
    parse_condition(" || ".join(["true"] * (NODES_MAX // 2)))
    with pytest.raises(ExpressionError, match="more than"):
        parse_condition(" || ".join(["true"] * (NODES_MAX // 2 + 1)))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4096,
        "!" * 4096,
        "[" * 4096,
        "-" * 4096,
        "a." * 2048,
        "risk.a" * 600,
        "x" * 4096,
        "true" + "&&true" * 600,
        "size(" * 800,
        "findings.exists(f, " * 200,
        "'" + "\\n" * 2000 + "'",
        "1" * 4096,
        "(" * 8192,
    ],
    ids=lambda text: text[:12],
)
def test_no_condition_takes_long(text):
    started = time.process_time()
    with pytest.raises(ExpressionError):
        parse_condition(text)
    assert time.process_time() - started < 0.5


_PIECES = [
    *("&&", "||", "!", "(", ")", "[", "]", ".", ",", "==", "<", "in", "size", "true", "-"),
    *("findings", "exists", "all", "f", "f.kind", "call.tools", "risk", "model.asked", "'a'"),
    *("1", "1.5", "matches", "contains", "\\", '"', "'", "\n", "é", "\x00", "\ud800", "secret.x"),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=20).map(" ".join))
def test_garbage_made_of_tokens_is_refused_or_parsed(text):
    _refused_or_sound(text)


@given(st.text(max_size=60))
def test_garbage_is_refused_or_parsed(text):
    _refused_or_sound(text)


@given(st.integers(0, 2**32), st.integers(0, 400), st.sampled_from([*_PIECES, ""]))
def test_damaged_conditions_are_refused_or_parsed(seed, offset, piece):
    text = Conditions(Random(seed)).condition(3)
    offset %= len(text)
    _refused_or_sound(text[:offset] + piece + text[offset + 1 :])


def _refused_or_sound(text: str) -> None:
    """Whatever parses has a canonical text that parses to the same tree."""
    with contextlib.suppress(ExpressionError):
        tree = parse_condition(text)
        assert parse_condition(format_condition(tree), 10**6) == tree
