"""What can be asked of an export, and that it is stored as it was asked."""

import datetime
import uuid

import orjson
import pytest

from audit.exports.wanted import LISTED_MAX, ExportWanted, WantedError, as_json, check, from_json

SINCE = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
UNTIL = SINCE + datetime.timedelta(days=1)


def wanted(**others):
    return ExportWanted(**{"since": SINCE, "until": UNTIL, **others})


def test_a_filter_comes_back_as_it_was_stored():
    full = wanted(
        kinds=("records", "events"), formats=("csv",), apps=(uuid.UUID(int=7),), model="m",
        outcome="denied", decision="deny", actions=("app.create",),
    )  # fmt: skip
    for one in (full, wanted()):
        check(one)
        assert from_json(orjson.loads(orjson.dumps(as_json(one)))) == one


@pytest.mark.parametrize(
    "fields",
    [
        {"until": SINCE},
        {"since": SINCE.replace(tzinfo=None)},
        {"until": UNTIL.replace(tzinfo=None)},
        {"kinds": ()},
        {"kinds": ("records", "records")},
        {"kinds": ("secrets",)},
        {"formats": ("xlsx",)},
        {"formats": ()},
        {"outcome": "lucky"},
        {"decision": "perhaps"},
        {"actions": tuple(str(number) for number in range(LISTED_MAX + 1))},
    ],
)
def test_what_cannot_be_met_is_refused(fields):
    with pytest.raises(WantedError):
        check(wanted(**fields))


def test_only_outcome_and_decision_ask_for_whole_calls():
    assert wanted(outcome="lost").asks_of_calls
    assert wanted(decision="deny").asks_of_calls
    assert not wanted(model="m").asks_of_calls
