"""Retries: jittered pauses, and no more of them than a tenth of the calls."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.again import (
    LONGEST_PAUSE_S,
    MOST_SAVED,
    MOST_WAIT_S,
    Allowance,
    earned,
    pause_s,
    spent,
)

draws = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 20), draws, st.none() | st.floats(0, MOST_WAIT_S))
def test_a_pause_is_jittered_bounded_and_not_below_what_was_asked(number, draw, asked):
    found = pause_s(number, draw, asked)
    assert (asked or 0) <= found <= (asked or 0) + LONGEST_PAUSE_S


def test_a_pause_grows():
    assert [pause_s(number, 0.5, None) for number in range(6)] == [0.125, 0.25, 0.5, 1.0, 2.0, 2.0]


def test_nobody_waits_for_a_provider_that_asks_for_too_long():
    assert pause_s(0, 0.5, MOST_WAIT_S + 1) is None


@given(st.lists(st.booleans(), max_size=300))
def test_retries_are_at_most_a_tenth_of_the_calls_and_ten(events):
    allowance, calls, retries = Allowance(), 0, 0
    for is_call in events:
        if is_call:
            allowance, calls = earned(allowance), calls + 1
        elif (left := spent(allowance)) is not None:
            allowance, retries = left, retries + 1
        assert 0 <= allowance.left <= MOST_SAVED
    assert retries <= MOST_SAVED + calls / 10 + 1e-6
