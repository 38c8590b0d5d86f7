"""Who is tried first, second and last: by priority, then by the route's strategy."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle import Deployment
from gateway.routing.order import EXPLORE, Standing, in_region, order, smoothed

STRATEGIES = ("weighted", "least_busy", "latency", "cost")
ONE = Deployment("a", "p", "openai", "", False, "m", 1, 0, "", (), None)  # noqa: FBT003


def deployment(name, *, weight=1, priority=0, region=""):
    return replace(ONE, id=name, weight=weight, priority=priority, region=region)


def names(*given, strategy="weighted", draw=0.5, user=b""):
    """Order (deployment, standing) pairs; return the ids."""
    deployments, standings = zip(*given, strict=True)
    return [one.id for one in order(deployments, standings, strategy, draw, user)]


standings = st.builds(
    Standing,
    in_flight=st.integers(0, 50),
    latency_s=st.none() | st.floats(0, 90),
    cost=st.none() | st.tuples(st.sampled_from(["USD", "EUR"]), st.integers(0, 10**15)),
    available=st.booleans(),
)
placed = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), standings), min_size=1, max_size=7
).map(
    lambda found: [
        (deployment(str(number), weight=weight, priority=priority), standing)
        for number, (weight, priority, standing) in enumerate(found)
    ]
)


@given(placed, st.sampled_from(STRATEGIES), st.floats(0, 1, exclude_max=True), st.binary())
def test_everybody_has_one_place_and_priorities_hold(found, strategy, draw, user):
    deployments, of = [one for one, _ in found], {one.id: each for one, each in found}
    ordered = order(deployments, [each for _, each in found], strategy, draw, user)
    assert Counter(ordered) == Counter(deployments)
    if len(found) > 1:
        away = [not of[one.id].available for one in ordered]
        assert away == sorted(away)
        for is_away in (False, True):
            priorities = [one.priority for one in ordered if of[one.id].available != is_away]
            assert priorities == sorted(priorities)
    again = order(deployments, [each for _, each in found], strategy, draw, user)
    assert again == ordered


@given(st.lists(st.integers(0, 5), min_size=2, max_size=6).filter(any))
def test_each_is_first_as_often_as_its_weight_says(weights):
    deployments = [deployment(str(at), weight=weight) for at, weight in enumerate(weights)]
    total = sum(weights)
    draws = [(step + 0.5) / total for step in range(total)]
    first = Counter(
        order(deployments, [Standing()] * len(weights), "weighted", draw)[0].id for draw in draws
    )
    assert [first[str(at)] for at in range(len(weights))] == weights


def test_a_weight_of_nothing_is_tried_after_its_equals():
    for strategy in STRATEGIES:
        pair = (deployment("idle", weight=0), Standing(0, 0.1, ("USD", 1)))
        found = names(pair, (deployment("b"), Standing(9, 9.0, ("USD", 9))), strategy=strategy)
        assert found == ["b", "idle"]
    alone = names((deployment("a", weight=0), Standing()), (deployment("b", weight=0), Standing()))
    assert sorted(alone) == ["a", "b"]


def test_the_least_busy_is_that_with_the_least_for_its_weight():
    busy = (deployment("big", weight=4), Standing(in_flight=8))
    idle = (deployment("small"), Standing(in_flight=3))
    assert names(idle, busy, strategy="least_busy") == ["big", "small"]


def test_the_fastest_is_first_but_for_a_few_calls():
    slow, fast = (deployment("slow"), Standing(0, 2.0)), (deployment("fast"), Standing(0, 0.2))
    assert names(slow, fast, strategy="latency", draw=0.5) == ["fast", "slow"]
    assert names(slow, fast, strategy="latency", draw=EXPLORE / 4) == ["slow", "fast"]
    new = (deployment("new"), Standing())
    assert names(slow, fast, new, strategy="latency")[0] == "new"


def test_the_cheapest_is_first_and_what_has_no_price_last():
    dear, cheap = ("dear", ("USD", 9)), ("cheap", ("USD", 1))
    foreign, unpriced = ("foreign", ("EUR", 2)), ("unpriced", None)
    given_ = [
        (deployment(name), Standing(cost=cost)) for name, cost in (unpriced, dear, foreign, cheap)
    ]
    assert names(*given_, strategy="cost") == ["cheap", "dear", "foreign", "unpriced"]


def test_who_is_away_is_tried_last_whatever_its_priority():
    away = (deployment("first"), Standing(available=False))
    assert names(away, (deployment("second", priority=9), Standing())) == ["second", "first"]


@given(st.lists(st.binary(min_size=1), min_size=30, max_size=60, unique=True))
def test_sticky_a_user_keeps_to_one_and_moves_only_when_it_is_gone(users):
    four = [deployment(name) for name in "abcd"]
    at = {user: order(four, [Standing()] * 4, "weighted", 0.3, user)[0].id for user in users}
    assert at == {user: order(four, [Standing(7)] * 4, "cost", 0.9, user)[0].id for user in users}
    three = four[:-1]
    for user in users:
        moved = order(three, [Standing()] * 3, "weighted", 0.3, user)[0].id
        assert moved == at[user] or at[user] == "d"


def test_sticky_users_are_spread_by_weight():
    pair = [deployment("a", weight=3), deployment("b")]
    users = [f"user-{number}".encode() for number in range(2000)]
    first = Counter(order(pair, [Standing()] * 2, "weighted", 0.0, user)[0].id for user in users)
    assert first["a"] / first["b"] == pytest.approx(3, rel=0.2)


def test_a_region_is_where_its_parts_are():
    regions = ["eu", "eu-west", "europe", "us", ""]
    found = in_region([deployment(region, region=region) for region in regions], "eu")
    assert [one.region for one in found] == ["eu", "eu-west"]


def test_a_latency_is_smoothed():
    assert smoothed(None, 2.0) == 2.0
    assert smoothed(1.0, 2.0) == pytest.approx(1.2)
