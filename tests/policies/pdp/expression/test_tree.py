"""Walking a tree visits all of it."""

from policies.pdp.expression.parser import parse_condition
from policies.pdp.expression.tree import ALWAYS, Constant, facts_read, texts, walk


def test_facts_are_found_everywhere_in_the_order_of_the_text():
    tree = parse_condition(
        "risk > 1 && (findings.exists(f, f.score > pii.max_score) || !call.stream) && risk < 9"
    )
    assert [use.name for use in facts_read(tree)] == [
        "risk",
        "findings",
        "pii.max_score",
        "call.stream",
        "risk",
    ]


def test_walk_yields_the_root_first_and_every_node_once():
    tree = parse_condition("risk in [1, 2] || true")
    assert next(walk(tree)) is tree
    assert len(list(walk(tree))) == 5


def test_always_is_true():
    assert parse_condition("true") == ALWAYS == Constant(value=True, type="bool")


def test_texts_are_those_of_lists_too_in_order():
    condition = parse_condition('app.tier == "a" || (call.n > 1 && app.name in ["b", "c"])')
    assert texts(condition) == ("a", "b", "c")
