"""Charts as shapes, and what differs between two texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import diff
from gateway.charts import BOTTOM, HEIGHT, LEFT, POINTS_MAX, TOP, WIDTH, Point, chart, spark
from policies.pdp.language import parse_document

FLOOR = HEIGHT - BOTTOM


def test_a_line_goes_from_the_first_to_the_last_point():
    made = chart([Point("Mon", 0), Point("Tue", 5), Point("Wed", 10)])
    assert made.line == f"M{LEFT:.1f} {FLOOR:.1f} L344.0 92.0 L632.0 {TOP:.1f}"
    assert made.area.endswith(f"L632.0 {FLOOR} L56.0 {FLOOR} Z")
    assert [tick.text for tick in made.ticks] == ["0", "2.5", "5", "7.5", "10"]
    assert (made.first, made.last) == ("Mon", "Wed")
    assert made.bars[1].text == "Tue: 5"


@given(st.lists(st.floats(0, 1e9), max_size=50))
def test_everything_stays_inside(values):
    made = chart([Point(str(n), value) for n, value in enumerate(values)])
    assert len(made.bars) == len(values)
    for bar in made.bars:
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
        assert TOP <= bar.y <= FLOOR


def test_nothing_and_one_point_are_charts_too():
    assert (chart([]).line, chart([]).area, chart([]).first) == ("", "", "")
    assert chart([Point("now", 3)]).last == ""
    assert chart([Point("now", 5e-324)]).bars[0].height == 0
    with pytest.raises(ValueError, match="at most 400"):
        chart([Point("x", 1)] * (POINTS_MAX + 1))


def test_a_spark_is_a_path():
    assert spark([]) == spark([1]) == ""
    assert spark([0, 0]) == "M0.0 23.0 L96.0 23.0"
    assert spark([0, 2, 1]) == "M0.0 23.0 L48.0 1.0 L96.0 12.0"


RULE = "  - {{id: {id}, when: call.bytes > {size}, deny: {{message: {told}}}}}\n"


def document(*rules, default="permit"):
    listed = "".join(RULE.format(id=name, size=size, told=told) for name, size, told in rules)
    return parse_document(
        f"policy: p\ndefault: {default}\nrules:{' []' if not rules else ''}\n{listed}"
    )


def test_a_difference_in_words():
    old, new = document(("a", 1, "x"), ("b", 2, "x")), document(("b", 3, "y"), ("c", 1, "x"))
    assert diff.words(old, new) == [
        "adds the rule c",
        "removes the rule a",
        "changes the rule b: its condition, its refusal",
    ]
    assert diff.words(document(), document(default="deny")) == ["changes the default to deny"]
    assert diff.words(old, old) == ["no rule differs: only names, comments or tests do"]


def test_a_difference_line_by_line():
    told = [(line.sign, line.number, line.text) for line in diff.lines("a\nb\nc", "a\nx\nc\nd")]
    assert told == [
        (" ", 1, "a"),
        ("-", 2, "b"),
        ("+", 2, "x"),
        (" ", 3, "c"),
        ("+", 4, "d"),
    ]
