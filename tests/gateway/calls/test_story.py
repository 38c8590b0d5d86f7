"""A call put together from its records."""

import pytest

from gateway.calls.story import Money, read
from gateway.exchange import Usage
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def world(unique):
    return World(unique)


def story(call):
    return read(call.rows)


def test_a_call_adds_up_its_attempts(world):
    call = story(
        world.call()
        .admitted(1, "azure", held=5000)
        .completed(1, "upstream_timeout", 5000, None)
        .admitted(2, held=1200)
        .completed(2, cost=310)
        .admitted(3, held=900)
        .completed(3, cost=90, usage=(6, 4, 0))
        .admitted(4, held=70)
    )
    assert call.charged == (Money("USD", 5400),)
    assert call.held == (Money("USD", 70),)
    assert call.tokens == Usage(1210, 314, 200)
    assert call.outcome == "in_flight"
    assert call.duration_ms is None
    assert [attempt.basis for attempt in call.attempts] == ["bound", "usage", "usage", ""]


def test_currencies_are_not_added_up(world):
    call = story(
        world.call()
        .admitted(1, currency="USD")
        .completed(1, "upstream_error", 10)
        .admitted(2, currency="EUR")
        .completed(2, cost=20)
    )
    assert call.charged == (Money("USD", 10), Money("EUR", 20))


def test_a_completion_after_a_loss_has_the_last_word(world):
    call = story(world.call().admitted().lost().completed(cost=310))
    assert call.outcome == "permitted"
    assert call.charged == (Money("USD", 310),)


def test_the_duration_counts_from_the_arrival(world):
    assert story(world.call().admitted().completed()).duration_ms in (813, 814)
    assert story(world.call().refused("rate_limit_exceeded")).duration_ms in (3, 4)
