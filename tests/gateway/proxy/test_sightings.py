"""What a worker knows of budgets and limits by what it was told: the fullest, and its age."""

from random import Random

import pytest

from gateway.bundle import Budget, Limit
from gateway.exchange import BudgetLine
from gateway.proxy.sightings import Counted, Sightings
from gateway.proxy.store.counters import limit_line

DAY = 86_400


def budget(name, limit=1000):
    return Budget(
        id=name,
        name=name,
        currency="USD",
        limit_micros=limit,
        hard=True,
        window="day",
        starts=(0, DAY, 2 * DAY),
        group_by=(),
        app_id="",
        key_id="",
    )


def held(of, group="", start=0):
    return BudgetLine(of, start, start + DAY, group)


def line(name, amount=10, kind="requests", burst=0):
    made = Limit(
        id=name, name=name, kind=kind, amount=amount, per_s=60, burst=burst, app_id="", key_id=""
    )
    return limit_line("t", made)


def level(of, used):
    return used if of.limit.kind == "concurrency" else used * of.limit.per_s * 1000 // of.tick_ms


def test_what_nobody_reserved_for_is_not_known():
    seen = Sightings()
    assert seen.counted([line("a")], [(budget("b"), "")], 5.0) == Counted()
    assert seen.counted([], [], 5.0) == Counted(0, 0, -1, 0, -1)


def test_the_fullest_of_each_is_told_with_its_own_age():
    seen, calls, tokens = Sightings(), line("a"), line("t", 200, "tokens", burst=400)
    small, large = budget("small", 100), budget("large")
    seen.granted([calls], [held(small)], [level(calls, 3), 20], 10.0)
    seen.granted([tokens], [held(large)], [level(tokens, 100), 700], 11.0)
    both = [(small, ""), (large, "")]
    assert seen.counted([calls, tokens], both, 12.5) == Counted(80, 20, 2500, 30, 2500)
    assert seen.counted([tokens], both[1:], 12.5) == Counted(30, 700, 1500, 25, 1500)


def test_a_new_window_is_not_known_and_a_group_is_its_own():
    seen, of = Sightings(), budget("b")
    seen.budget(held(of, "ann"), 10, 5.0)
    assert seen.counted([], [(of, "ann")], 6.0).budget_percent == 99
    assert seen.counted([], [(of, "bob")], 6.0).budget_age_ms == -1
    assert seen.counted([], [(of, "ann")], float(DAY)) == Counted()


def test_a_limit_that_was_changed_is_the_one_that_counts():
    seen, of = Sightings(), budget("b", 1000)
    seen.budget(held(of), 400, 5.0)
    assert seen.counted([], [(budget("b", 600), "")], 5.0)[:2] == (100, 0)
    assert seen.counted([], [(budget("b", 6000), "")], 5.0)[:2] == (10, 5400)
    assert seen.counted([], [(budget("b", 0), "")], 5.0)[:2] == (100, 0)


def test_a_clock_that_goes_back_makes_nothing_younger_than_new():
    seen, of = Sightings(), budget("b")
    seen.budget(held(of), 400, 5.0)
    assert seen.counted([], [(of, "")], 4.0).budget_age_ms == 0


@pytest.mark.parametrize("seed", range(20))
def test_it_surely_holds_so_many_lines_and_twice_as_many_at_most(seed):
    rng, most = Random(seed), 5
    seen, order = Sightings(most), []
    for at in range(60):
        name = str(rng.randrange(12))
        seen.budget(held(budget(name)), rng.randrange(1000), float(at))
        order = [name, *(other for other in order if other != name)]
        known = [
            name for name in order if seen.counted([], [(budget(name), "")], 60.0) != Counted()
        ]
        assert set(order[:most]) <= set(known)
        assert len(known) <= 2 * most


@pytest.mark.parametrize("seed", range(30))
def test_the_shares_are_as_a_plain_reckoning_has_them(seed):
    rng, seen, now = Random(seed), Sightings(), 100.0
    budgets = [budget(str(number), rng.randint(1, 50)) for number in range(4)]
    plain = {}
    for _ in range(8):
        of = rng.choice(budgets)
        left = rng.randint(0, of.limit_micros)
        now += rng.random()
        seen.budget(held(of), left, now)
        plain[of.id] = (100 * (of.limit_micros - left) // of.limit_micros, now, left)
    percent, at, left = max(plain.values())
    found = seen.counted([], [(of, "") for of in budgets], now)
    assert found == Counted(percent, left, int((now - at) * 1000))
