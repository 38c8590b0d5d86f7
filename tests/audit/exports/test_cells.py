"""A table that is safe to open: nothing in it runs."""

import pytest

from audit.exports.cells import COLUMNS, cell, cells


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-2", "@x", "\tx", "\rx", "\nx", " =1+1", "\uff1d1", '=HYPERLINK("x")', "-"],
)
def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "true"), (False, "false"), (-5, "-5"), (0.5, "0.5"), ("", ""),
        ("ann@example.com", "ann@example.com"), (["a@1"], '["a@1"]'), ({"a": 1}, '{"a":1}'),
    ],
)  # fmt: skip
def test_other_values_are_as_they_are(value, text):
    assert cell(value) == text


def test_a_record_is_told_with_what_its_body_says():
    row = {
        "kind": "completed", "app": None, "cost_micros": -3,
        "body": {"usage": [1, 2, 3], "decision": {"effect": "deny"}, "status": 403, "user": "=a"},
    }  # fmt: skip
    told = dict(zip(COLUMNS["records"], cells("records", row), strict=True))
    assert told["input_tokens"] == "1"
    assert told["cached_tokens"] == "3"
    assert (told["effect"], told["status"], told["user"]) == ("deny", "403", "'=a")
    assert told["cost_micros"] == "-3"


def test_an_event_is_told_with_what_changed():
    row = {"id": 4, "action": "app.create", "before": None, "after": {"name": "x"}}
    told = dict(zip(COLUMNS["events"], cells("events", row), strict=True))
    assert (told["id"], told["before"], told["after"]) == ("4", "", '{"name":"x"}')
