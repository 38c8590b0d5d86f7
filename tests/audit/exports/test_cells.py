"""A table that is safe to open: nothing in it runs."""

import json

import pytest

from audit.exports.cells import COLUMNS, KNOWN_MOST, Table, cell


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


def told(kind, *rows):
    """Return the cells of rows by their columns."""
    made = Table(kind).rows([json.dumps(row) for row in rows])
    return [dict(zip(COLUMNS[kind], cells, strict=True)) for cells in made]


def test_a_record_is_told_with_what_its_body_says():
    row = {
        "kind": "completed", "app": None, "cost_micros": -3,
        "body": {"usage": [1, 2, 3], "decision": {"effect": "deny"}, "status": 403, "user": "=a",
                 "policies": ["p@1"], "redacted": True, "message": "-x", "unlisted": 1},
    }  # fmt: skip
    (cells,) = told("records", row)
    assert [cells[name] for name in ("input_tokens", "output_tokens", "cached_tokens")] == [1, 2, 3]
    assert (cells["effect"], cells["status"], cells["user"]) == ("deny", 403, "'=a")
    assert (cells["policies"], cells["redacted"], cells["message"]) == ('["p@1"]', "true", "'-x")
    assert (cells["cost_micros"], cells["app"], cells["day"]) == (-3, None, None)


def test_what_a_body_names_like_a_column_of_the_row_does_not_replace_it():
    (cells,) = told("records", {"model": "=m", "code": "", "body": {"model": "n", "code": "x"}})
    assert (cells["model"], cells["code"]) == ("'=m", "")


def test_a_record_that_says_nothing_has_empty_cells():
    row = dict.fromkeys(("app_id", "cost_micros")) | {"call_id": "x", "body": {}}
    (cells,) = told("records", row)
    assert {name for name, value in cells.items() if value is not None} == {"call_id"}


def test_an_event_is_told_with_what_changed():
    row = {
        "id": 4, "action": "app.create", "before": None, "after": {"name": "x"}, "tenant": "@t",
    }  # fmt: skip
    (cells,) = told("events", row)
    assert (cells["id"], cells["before"], cells["after"]) == (4, None, '{"name":"x"}')
    assert cells["tenant"] == "'@t"


def test_texts_that_are_met_again_are_told_alike_however_many_there_are():
    table = Table("events")
    lines = [json.dumps({"actor": f"={number}"}) for number in range(KNOWN_MOST + 1)]
    assert table.rows(lines) == table.rows(lines) == table.rows(lines)
    assert {row[5][:2] for row in table.rows(lines)} == {"'="}
