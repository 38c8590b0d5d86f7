"""When a deployment is left alone: a circuit that opens on failures and is closed by probes. Pure.

A failure counts 1, a success takes 0.5 away: the circuit opens, at 5, where more than a third of
the calls keep failing. It stays open for 5 s, for twice as long each time that a probe fails, up to
a minute. Then it is half open: one call at a time is let through, and two that succeed close it.
"""

from typing import Literal, NamedTuple

State = Literal["closed", "open", "half_open"]

OPENS_AT = 5.0
FORGIVEN = 0.5
FIRST_OPEN_S, LONGEST_OPEN_S = 5.0, 60.0
PROBES = 2
PROBE_LASTS_S = 60.0
"""A probe that nobody heard of for so long is taken for lost: another may be sent."""


class Circuit(NamedTuple):
    """The state of one deployment's circuit. `until_s` is when an open one becomes half open."""

    score: float = 0.0
    until_s: float = 0.0
    trips: int = 0
    good_probes: int = 0
    probing_until_s: float = 0.0


CLOSED = Circuit()


def state(circuit: Circuit, now_s: float) -> State:
    """Return what the circuit is at an instant."""
    if not circuit.trips:
        return "closed"
    return "open" if now_s < circuit.until_s else "half_open"


def admits(circuit: Circuit, now_s: float) -> bool:
    """Return whether a call may be tried: always, never, or as the one probe."""
    if not circuit.trips:
        return True
    return now_s >= circuit.until_s and now_s >= circuit.probing_until_s


def wait_s(circuit: Circuit, now_s: float) -> float:
    """Return how long a caller should wait before it comes again."""
    return max(0.0, circuit.until_s - now_s)


def began(circuit: Circuit, now_s: float) -> Circuit:
    """Return the circuit after a call was sent: in a half-open one that is the probe."""
    if not circuit.trips or now_s < circuit.until_s:  # it was chosen before the circuit opened
        return circuit
    return circuit._replace(probing_until_s=now_s + PROBE_LASTS_S)


def succeeded(circuit: Circuit, now_s: float) -> Circuit:
    """Return the circuit after a call that the deployment answered."""
    if not circuit.trips:
        left = circuit.score - FORGIVEN
        return circuit._replace(score=left) if left > 0 else CLOSED
    if now_s < circuit.until_s:  # it was sent before the circuit opened
        return circuit
    if circuit.good_probes + 1 >= PROBES:
        return CLOSED
    return circuit._replace(good_probes=circuit.good_probes + 1, probing_until_s=0.0)


def failed(circuit: Circuit, now_s: float) -> Circuit:
    """Return the circuit after a call that the deployment failed."""
    if not circuit.trips:
        score = circuit.score + 1
        return _opened(0, now_s) if score >= OPENS_AT else circuit._replace(score=score)
    if now_s < circuit.until_s:  # it was sent before the circuit opened
        return circuit
    return _opened(circuit.trips, now_s)


def abandoned(circuit: Circuit) -> Circuit:
    """Return the circuit after a call of which nothing was learned: the probe is free again."""
    return circuit._replace(probing_until_s=0.0)


def adopted(circuit: Circuit, until_s: float, now_s: float) -> Circuit:
    """Return the circuit after another worker opened its own until an instant, within reason."""
    until_s = min(until_s, now_s + LONGEST_OPEN_S)
    if until_s <= max(circuit.until_s, now_s):
        return circuit
    return Circuit(until_s=until_s, trips=max(1, circuit.trips))


def _opened(trips: int, now_s: float) -> Circuit:
    lasts_s = min(LONGEST_OPEN_S, FIRST_OPEN_S * 2**trips)
    return Circuit(until_s=now_s + lasts_s, trips=min(trips + 1, 10))
