"""Percentiles from a histogram: near enough, and nothing from nothing."""

import random
from bisect import bisect_right

import pytest

from tenants.usage.latency import BOUNDS_MS, BUCKETS, added, percentile_ms


def counted(durations):
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bisect_right(BOUNDS_MS, duration)] += 1
    return counts


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_percentile_is_near_the_true_one(share):
    chance = random.Random(7)
    durations = sorted(round(chance.lognormvariate(6.5, 1.0)) for _ in range(5000))
    true = durations[int(share * len(durations))]
    assert percentile_ms(counted(durations), share) == pytest.approx(true, rel=0.1)


def test_nothing_has_no_percentile():
    assert percentile_ms([0] * BUCKETS, 0.5) is None
    assert percentile_ms(added([]), 0.5) is None


def test_what_took_longest_counts_as_the_last_bound():
    assert percentile_ms(counted([10**9]), 0.95) == BOUNDS_MS[-1]


def test_histograms_add_up():
    one, other = counted([5, 50]), counted([50, 5000])
    assert added([one, other]) == counted([5, 50, 50, 5000])


def test_bounds_rise():
    assert list(BOUNDS_MS) == sorted(set(BOUNDS_MS))
