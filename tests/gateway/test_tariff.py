"""Rows of prices become one line: later rows win from then on, own prices over the book."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import Price
from gateway.pricing import price_at
from gateway.tariff import at, combine, from_now_on, history

CHEAP = Price("USD", 1, 2, None, 0, 0)
DEAR = Price("USD", 10, 20, 5, 0, 0)

prices = st.none() | st.builds(
    lambda input_pico, since: Price("USD", input_pico, 0, None, 0, since),
    st.integers(0, 5),
    st.integers(0, 20),
)
entries = st.lists(st.tuples(st.integers(0, 20), prices), max_size=8)


def figures(price):
    return None if price is None else replace(price, effective_from=0)


def said_by(rows, instant):
    """Return the price at an instant the slow way: the row written last that has begun ..."""
    standing = []
    for since, price in rows:
        standing = [row for row in standing if row[0] < since] + [(since, price)]
    begun = [price for since, price in standing if since <= instant]
    return begun[-1] if begun else None


@given(entries, st.integers(0, 25))
def test_a_later_row_holds_from_its_instant_on(rows, instant):
    assert at(history(rows), instant) == said_by(rows, instant)


@given(st.lists(entries, max_size=3), st.integers(0, 25))
def test_the_first_layer_that_has_a_price_wins(layers, instant):
    lines = [history(rows) for rows in layers]
    combined = combine(lines)
    wanted = next((p for line in lines if (p := at(line, instant)) is not None), None)
    found = price_at(combined, instant)
    if figures(found) != figures(wanted):
        # Before a gap without any price, what went before is dropped: unpriced, never wrong.
        assert found is None
        later = range(instant, 26)
        assert any(all(at(line, moment) is None for line in lines) for moment in later)


@given(st.lists(entries, max_size=3))
def test_a_line_is_sorted_and_repeats_nothing(layers):
    combined = combine([history(rows) for rows in layers])
    instants = [price.effective_from for price in combined]
    assert instants == sorted(set(instants))
    assert all(figures(one) != figures(other) for one, other in pairwise(combined))


def test_a_withdrawn_price_gives_way_to_the_next_layer():
    own = history([(0, CHEAP), (50, None)])
    book = history([(0, DEAR)])
    assert combine([own, book]) == (CHEAP, replace(DEAR, effective_from=50))


def test_without_any_layer_nothing_has_a_price():
    assert combine([]) == ()
    assert combine([history([(0, CHEAP), (50, None)])]) == ()


def test_the_past_falls_away():
    line = history([(0, CHEAP), (10, DEAR), (99, CHEAP)])
    assert from_now_on(line, 50) == (
        (50, replace(DEAR, effective_from=50)),
        (99, CHEAP),
    )
    assert from_now_on((), 50) == ((50, None),)
