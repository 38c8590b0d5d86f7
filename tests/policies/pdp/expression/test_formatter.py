"""One tree has one text, and that text is the tree again."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.parser import parse_condition
from tests.policies.pdp.random_conditions import Conditions


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("risk>1", "risk > 1"),
        (" ( (risk) > (1) ) ", "risk > 1"),
        ("true&&(false||call.stream)", "true && (false || call.stream)"),
        ("(true&&false)||call.stream", "true && false || call.stream"),
        ("true || (false || call.stream)", "true || false || call.stream"),
        ("!(risk>1)", "!(risk > 1)"),
        ("!(call.stream)", "!call.stream"),
        ("!(!call.stream)", "!!call.stream"),
        ("!(true && false)", "!(true && false)"),
        ("!call.stream==true", "!call.stream == true"),
        ("!(call.stream==true)", "!(call.stream == true)"),
        ("(risk>1)==(risk<5)", "(risk > 1) == (risk < 5)"),
        ("(true && false) != (true || false)", "(true && false) != (true || false)"),
        ("call.stream in [true,false]", "call.stream in [true, false]"),
        ("risk in[1,-2]", "risk in [1, -2]"),
        ("1.50<pii.max_score", "1.5 < pii.max_score"),
        ("pii.max_score > 1e-5", "pii.max_score > 1e-05"),
        ("pii.max_score > 10e15", "pii.max_score > 1e+16"),
        ("'a'==app.tier", '"a" == app.tier'),
        (r"""app.tier == 'it\'s "x"'""", r'''app.tier == "it's \"x\""'''),
        (r"app.tier == '\\\n\r\t'", r'app.tier == "\\\n\r\t"'),
        ("app.tier == 'a\tb'", r'app.tier == "a\tb"'),
        ("app.tier == 'é\\u00e9\\u0001\\u2028'", r'app.tier == "éé\u0001\u2028"'),
        ("size( call.tools )>1", "size(call.tools) > 1"),
        ("'abc'.contains( app.tier )", '"abc".contains(app.tier)'),
        ("findings.all(f,f.score>0.1)", "findings.all(f, f.score > 0.1)"),
        ("call.tools.exists(t,t=='x')", 'call.tools.exists(t, t == "x")'),
    ],
)
def test_canonical_text(text, canonical):
    assert format_condition(parse_condition(text)) == canonical


@given(st.integers(0, 2**32))
def test_the_canonical_text_is_the_same_tree_and_its_own_canonical_text(seed):
    tree = parse_condition(Conditions(Random(seed)).condition(3))
    text = format_condition(tree)
    assert parse_condition(text, 10**6) == tree
    assert format_condition(parse_condition(text, 10**6)) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30))
def test_any_string_constant_survives(value):
    quoted = (
        value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    )
    tree = parse_condition(f'app.tier == "{quoted}"')
    assert parse_condition(format_condition(tree)) == tree
