"""When the demo's calls come: as many as asked for, in order, and the same for a seed."""

import datetime
import zoneinfo
from random import Random

import pytest

from gateway.demo.profiles import CARDS, INJECTIONS, PERSONAL, PLAIN, PROFILES, PROMPTS
from gateway.demo.traffic import hours, intents, share_of

UTC = datetime.UTC
SINCE = datetime.datetime(2026, 3, 20, 7, 30, tzinfo=UTC)
UNTIL = SINCE + datetime.timedelta(days=14)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def made(seed="1", calls=3000, profiles=PROFILES):
    chance = Random(seed)
    return list(intents(profiles, hours(SINCE, UNTIL, BERLIN, calls, chance), chance))


@pytest.mark.parametrize("calls", [0, 1, 7, 5000])
def test_there_are_exactly_as_many_as_asked_for(calls):
    assert len(made(calls=calls)) == calls


def test_they_come_in_order_and_in_time():
    instants = [intent.at_ms for intent in made()]
    assert instants == sorted(instants)
    assert SINCE.timestamp() * 1000 <= instants[0]
    assert instants[-1] < UNTIL.timestamp() * 1000


def test_a_seed_makes_the_same_calls_and_another_makes_others():
    assert made() == made()
    assert made()[0].noise != made(seed="2")[0].noise


def test_people_sleep_and_have_weekends():
    local = [datetime.datetime.fromtimestamp(one.at_ms / 1000, BERLIN) for one in made()]
    by_day = sum(9 <= at.hour < 17 for at in local)
    assert by_day > 0.5 * len(local)
    assert sum(at.isoweekday() > 5 for at in local) < 0.2 * len(local)


def test_a_key_calls_only_while_it_is_there():
    old = PROFILES[1]
    first, last = SINCE.timestamp() * 1000, UNTIL.timestamp() * 1000
    end_ms = first + (last - first) * (old.until + 0.01)
    used = [one.at_ms for one in made() if PROFILES[one.profile] is old]
    assert used
    assert max(used) < end_ms


def test_where_nobody_is_there_everybody_is():
    assert made(calls=10, profiles=[PROFILES[-1]])


def test_prompts_are_chosen_by_their_share():
    profile = PROFILES[0]
    injection = (profile.card + profile.injection) / 2 + profile.card / 2
    for draw, prompts in ((0.0, CARDS), (injection, INJECTIONS), (0.05, PERSONAL), (0.99, PLAIN)):
        assert {PROMPTS[number] for number in profile.prompts(draw)} == set(prompts)


def test_models_and_shares_add_up():
    assert {profile.model(draw) for profile in PROFILES for draw in (0.0, 0.5, 0.99, 1.0)} == {
        "demo-small",
        "demo-large",
    }
    assert sum(share_of(PROFILES).values()) == pytest.approx(1)
