"""What a worker learns of a deployment from each attempt, and what it does not."""

import pytest

from gateway.proxy import stations as module
from gateway.proxy.errors import Forbidden, UpstreamFailed, UpstreamLimited
from gateway.proxy.gate import Gate
from gateway.proxy.keyring import NONE, Keyring
from gateway.proxy.stations import Stations
from gateway.routing.again import MOST_SAVED
from tests.gateway.routing.test_order import deployment

AT = deployment("d")
ERROR = UpstreamFailed("upstream_error", "it failed")
REJECTED = UpstreamFailed("upstream_rejected", "no")
DENIED = Forbidden("policy_denied", "of the answer")


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stations(clock):
    return Stations(clock, Keyring(clock), lambda: Gate(2, 0, 0, lambda: None))


def attempt(stations, failure=None, *, learned=True, at=AT):
    stations.began(at)
    stations.ended(at, NONE, failure, learned=learned)


@pytest.mark.parametrize("failure", [None, REJECTED, DENIED])
def test_who_answers_is_alive_whatever_the_answer(stations, failure):
    for _ in range(4):
        attempt(stations, ERROR)
    for _ in range(8):
        attempt(stations, failure)
    for _ in range(4):
        attempt(stations, ERROR)
    assert stations.refusal(AT, (NONE,)) is None
    attempt(stations, ERROR)
    assert stations.refusal(AT, (NONE,)).code == "upstream_unavailable"


def test_an_open_circuit_is_told_once_and_when_it_closes(stations, clock):
    told = []
    stations.changed = lambda station: told.append(bool(station.circuit.trips))
    for _ in range(7):
        attempt(stations, ERROR)
    assert told == [True]
    clock.now_s += 5
    for _ in range(2):
        assert stations.refusal(AT, (NONE,)) is None
        attempt(stations)
    assert told == [True, False]


def test_while_it_is_probed_nobody_else_is_sent(stations, clock):
    for _ in range(5):
        attempt(stations, ERROR)
    clock.now_s += 5
    stations.began(AT)
    refusal = stations.refusal(AT, (NONE,))
    assert (refusal.status, refusal.code, refusal.retry_after_s) == (503, "upstream_unavailable", 1)
    stations.ended(AT, NONE, ERROR, learned=False)  # the caller of the probe hung up
    assert stations.refusal(AT, (NONE,)) is None


def test_what_is_in_flight_and_how_fast_it_is(stations):
    stations.began(AT)
    stations.began(AT)
    stations.answered(AT, NONE, {}, 2.0)
    station = stations.of(AT)
    assert (station.in_flight, station.latency_s) == (2, 2.0)
    for _ in range(2):
        stations.ended(AT, NONE, None, learned=True)
    assert station.in_flight == 0


def test_a_limit_that_is_used_up_is_kept_to_however_it_is_told(stations, clock):
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "3s"}
    stations.answered(AT, NONE, headers, 0.1)
    assert stations.refusal(AT, (NONE,)).retry_after_s == 3
    clock.now_s += 3
    told = UpstreamLimited("upstream_rate_limited", "wait", retry_after_s=9)
    attempt(stations, told)
    assert stations.refusal(AT, (NONE,)).retry_after_s == 9
    clock.now_s += 9
    attempt(stations, UpstreamLimited("upstream_rate_limited", "wait"))  # it does not say how long
    assert stations.refusal(AT, (NONE,)) is None


def test_retries_are_used_up_and_earned_by_calls(stations):
    station = stations.of(AT)
    assert [station.take_retry() for _ in range(int(MOST_SAVED) + 1)] == [True] * 10 + [False]
    for _ in range(11):
        attempt(stations)
    assert station.take_retry()


def test_what_is_known_is_bounded_and_what_is_busy_is_kept(stations, monkeypatch):
    monkeypatch.setattr(module, "MOST_STATIONS", 3)
    stations.began(AT)
    for number in range(20):
        stations.of(deployment(str(number)))
    assert len(stations.known()) == 3
    assert stations.of(AT).in_flight == 1


def test_a_provider_has_one_gate_for_all_of_its_deployments(stations):
    assert stations.of(AT).gate is stations.of(deployment("e")).gate
