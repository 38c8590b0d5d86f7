"""Fields: each takes what it says; a body takes what it lists."""

import pytest
from rest_framework.serializers import ValidationError

from audit.rest.fields import (
    Body,
    Change,
    Choice,
    Flag,
    Identity,
    Instant,
    Text,
    Texts,
    Whole,
    unfit,
)

UUID = "018f2f9e-0000-7000-8000-000000000001"


class Sample(Change):
    name = Text(max_length=5)
    amount = Whole(required=False, max_value=10)
    made = Text(read_only=True)


def faults(form):
    assert not form.is_valid()
    return set(form.errors)


@pytest.mark.parametrize(
    ("field", "good"),
    [
        (Text(), " a "),
        (Whole(), 7),
        (Flag(), False),
        (Choice([("a", "A")]), "a"),
        (Identity(), UUID),
        (Instant(), "2026-01-02T03:04:05Z"),
        (Texts(), ["a", "b"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_field_takes_its_own_kind_and_no_other(field, good):
    assert field.run_validation(good) is not None
    others = [7, 7.5, True, "true", "7", "", [], [7], {}, {"a": 1}, 1e400, 2**70, -1]
    for other in others:
        if type(other) is type(good) or (isinstance(field, Text) and isinstance(other, str)):
            continue
        with pytest.raises(ValidationError):
            field.run_validation(other)


def test_a_number_of_json_is_whole_when_it_is():
    assert Whole().run_validation(7.0) == 7
    assert isinstance(Whole().run_validation(7.0), int)


@pytest.mark.parametrize("text", ["2026-01-02", "2026-01-02T03:04:05", "0001-01-01T00:00:00+14:00"])
def test_an_instant_says_its_offset_and_is_in_the_calendar(text):
    with pytest.raises(ValidationError):
        Instant().run_validation(text)


def test_a_body_refuses_by_name_what_it_does_not_list():
    assert faults(Sample(data={"name": "a", "role": "owner", "is_admin": True})) == {
        "role",
        "is_admin",
    }


def test_a_body_refuses_what_can_only_be_read():
    assert faults(Sample(data={"name": "a", "made": "x"})) == {"made"}


def test_a_body_is_an_object():
    for data in ([], "x", 7):
        assert faults(Sample(data=data)) == {"non_field_errors"}


def test_every_change_may_say_why():
    form = Sample(data={"name": "a", "reason": "because"})
    assert form.is_valid()
    assert form.validated_data == {"name": "a", "reason": "because"}
    assert issubclass(Change, Body)


def test_texts_that_postgresql_cannot_hold_are_found_anywhere():
    assert list(unfit({"a": ["b", {"c\0": "\ud83d"}]})) != []
    assert list(unfit({"a": ["b", {"c": "\U0001f600", "n": 7}]})) == []
