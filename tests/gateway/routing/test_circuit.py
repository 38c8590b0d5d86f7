"""A circuit opens where more than a third of the calls keep failing; probes close it."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.circuit import (
    CLOSED,
    FIRST_OPEN_S,
    LONGEST_OPEN_S,
    PROBE_LASTS_S,
    abandoned,
    admits,
    adopted,
    began,
    failed,
    state,
    succeeded,
    wait_s,
)


def opened(now_s=100.0):
    circuit = CLOSED
    for _ in range(5):
        circuit = failed(circuit, now_s)
    return circuit


def test_it_opens_at_the_fifth_failure_and_not_before():
    circuit = CLOSED
    for _ in range(4):
        circuit = failed(circuit, 100.0)
        assert state(circuit, 100.0) == "closed"
        assert admits(circuit, 100.0)
    circuit = failed(circuit, 100.0)
    assert (state(circuit, 100.0), wait_s(circuit, 100.0)) == ("open", FIRST_OPEN_S)
    assert not admits(circuit, 100.0)


def test_one_failure_in_three_never_opens_it_and_more_do():
    circuit = CLOSED
    for _ in range(500):
        circuit = succeeded(succeeded(failed(circuit, 1.0), 1.0), 1.0)
    assert circuit is CLOSED
    for _ in range(10):
        circuit = succeeded(failed(circuit, 1.0), 1.0)
    assert state(circuit, 1.0) == "open"


def test_half_open_lets_one_probe_through_at_a_time_and_two_close_it():
    circuit, now_s = opened(), 100.0 + FIRST_OPEN_S
    assert state(circuit, now_s) == "half_open"
    circuit = began(circuit, now_s)
    assert not admits(circuit, now_s)
    circuit = succeeded(circuit, now_s)
    assert admits(circuit, now_s)
    assert state(circuit, now_s) == "half_open"
    assert succeeded(began(circuit, now_s), now_s) is CLOSED


def test_a_probe_that_fails_opens_it_for_twice_as_long_within_a_bound():
    circuit, now_s, lasts = opened(), 100.0, FIRST_OPEN_S
    for _ in range(12):
        now_s = circuit.until_s
        circuit = failed(began(circuit, now_s), now_s)
        lasts = min(LONGEST_OPEN_S, lasts * 2)
        assert wait_s(circuit, now_s) == lasts


def test_a_probe_that_tells_nothing_is_free_again_and_a_lost_one_after_a_while():
    circuit, now_s = opened(), 100.0 + FIRST_OPEN_S
    probing = began(circuit, now_s)
    assert admits(abandoned(probing), now_s)
    assert not admits(probing, now_s + PROBE_LASTS_S - 1)
    assert admits(probing, now_s + PROBE_LASTS_S)


def test_what_was_sent_before_it_opened_changes_nothing():
    circuit = opened()
    assert succeeded(circuit, 101.0) == failed(circuit, 101.0) == began(circuit, 101.0) == circuit


def test_what_begins_in_a_closed_circuit_is_no_probe():
    assert began(CLOSED, 5.0) is CLOSED
    assert wait_s(CLOSED, 5.0) == 0.0


def test_another_workers_circuit_is_taken_over_within_reason():
    taken = adopted(CLOSED, 130.0, 100.0)
    assert (state(taken, 129.0), state(taken, 130.0)) == ("open", "half_open")
    assert adopted(CLOSED, 99.0, 100.0) is CLOSED
    assert adopted(taken, 120.0, 100.0) is taken
    assert adopted(CLOSED, 10**9, 100.0).until_s == 100.0 + LONGEST_OPEN_S


@given(st.lists(st.tuples(st.sampled_from("sfab"), st.floats(0, 20))))
def test_it_always_comes_back_to_half_open(steps):
    """Whatever happened, nobody is left alone for ever."""
    circuit, now_s = CLOSED, 0.0
    for what, pause_s in steps:
        now_s += pause_s
        if what == "b" and admits(circuit, now_s):
            circuit = began(circuit, now_s)
        else:
            does = {"s": succeeded, "f": failed, "a": lambda one, _: abandoned(one)}
            circuit = does.get(what, lambda one, _: one)(circuit, now_s)
        assert circuit.score < 5
        assert wait_s(circuit, now_s) <= LONGEST_OPEN_S
    assert admits(circuit, now_s + max(LONGEST_OPEN_S, PROBE_LASTS_S))
