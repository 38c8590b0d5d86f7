"""Usage as providers tell it, and what is never believed."""

import pytest

from gateway.exchange import Usage
from gateway.providers.openai.usage import merge_usage, read_usage


def usage(*told, wrote=True):
    seen = {}
    for one in told:
        merge_usage(seen, one)
    return read_usage(seen, wrote=wrote)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, Usage(10, 5)),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": 10.0, "completion_tokens": 5.0}, Usage(10, 5)),
        ({"input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
        ({"prompt_tokens": 10, "total_tokens": 15}, Usage(10, 5)),
        # hidden reasoning that only the total tells
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40}, Usage(10, 30)),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 8},
            },
            Usage(10, 5, 8),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 8},
            Usage(10, 5, 8),
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "input_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 3},
                "output_tokens_details": {"reasoning_tokens": 4},
            },
            Usage(10, 5, 6, 3, 4),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 6, "cache_write_tokens": 5},
            },
            Usage(10, 5, 6),
        ),
        # a discount on more than there is, is none
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 11},
            },
            Usage(10, 5, 0),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": None},
            Usage(10, 5),
        ),
    ],
)
def test_the_usual_shapes(told, expected):
    assert usage(told) == expected


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "x",
        {},
        {"prompt_tokens": 0, "completion_tokens": 5},
        {"prompt_tokens": None, "completion_tokens": 5},
        {"prompt_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": 0},
        {"prompt_tokens": 10, "total_tokens": 10},
        {"completion_tokens": 5, "total_tokens": 15},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": "10", "completion_tokens": "5"},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": 1 << 53, "completion_tokens": 1},
    ],
)
def test_unknown_is_never_free(told):
    assert usage(told) is None


def test_no_output_is_believed_where_none_was_seen():
    assert usage({"prompt_tokens": 10, "completion_tokens": 0}, wrote=False) == Usage(10, 0)


def test_the_last_number_of_each_field_counts_and_nothing_replaces_no_number():
    assert usage(
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 4},
        },
        {
            "completion_tokens": 3,
            "prompt_tokens": None,
            "prompt_tokens_details": {"cached_tokens": 0},
        },
        {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"audio_tokens": 1}},
        {"completion_tokens": 7},
    ) == Usage(10, 7, 4)


def test_what_was_told_is_not_changed_by_what_follows():
    first = {"prompt_tokens_details": {"cached_tokens": 1}}
    usage(first, {"prompt_tokens_details": {"cached_tokens": 2}})
    assert first == {"prompt_tokens_details": {"cached_tokens": 1}}
