"""Delays grow, healthy minutes are forgiven, five deaths in a minute are not."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.deaths import DEATHS_MAX, WINDOW_S, History


def test_delays_double_up_to_ten_seconds():
    history, now, delays = History(), 0.0, []
    for _ in range(7):
        delays.append(history.note(now, now + 20))
        now += 20
    assert delays == [0.5, 1, 2, 4, 8, 10, 10]


def test_a_healthy_minute_makes_the_next_delay_short_again():
    history = History()
    assert [history.note(0, 1), history.note(2, 3), history.note(4, 64)] == [0.5, 1, 0.5]


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=40))
def test_only_five_deaths_within_a_minute_are_too_many(lives):
    history, now, deaths = History(), 0.0, []
    for life in lives:
        delay = history.note(now, now + life)
        now += life
        deaths.append(now)
        recent = deaths[-DEATHS_MAX:]
        assert (delay is None) == (len(recent) == DEATHS_MAX and now - recent[0] < WINDOW_S)
        now += delay or 0
