"""A worker before guards, over real sockets: what it takes for an answer, and when it asks none."""

import asyncio
import itertools
import socket
import time
from dataclasses import replace

import pytest

from gateway.bundle import Guard
from gateway.guards import contract
from gateway.guards.contract import Asked
from gateway.guards.masking import masked
from gateway.proxy.guard_memory import KEPT_S
from gateway.proxy.guarding import MOST_IN_FLIGHT, Guards, Inquiry, LoadedGuard
from gateway.proxy.upstream import Pools, Timeouts
from gateway.routing.circuit import FIRST_OPEN_S, OPENS_AT, PROBES
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.scanner import MAX_TEXT
from tests.mock_guard import KIND, SECRET, Guarding, Prepared

PATIENT_MS, HASTY_MS = 5_000, 60
LEAVES = (Leaf("Hello", "system", "s"), Leaf("Bluebird is late, ann@example.com", "user", "u"))
FOUND = (Finding(KIND, "custom", 0.9, 1, 0, 8, "raw"),)
MAIL = Finding("EMAIL_ADDRESS", "pii", 1.0, 1, 18, 33, "raw")
NOTHING = Scan((), frozenset())


class Clock:
    """A clock that goes where a test wants it."""

    def __init__(self):
        self.now_s = time.time()

    def __call__(self):
        return self.now_s


class Room:
    """Guards of one worker, under a clock, and a loop to ask them in."""

    def __init__(self, loop, server):
        self.loop, self.server, self.clock = loop, server, Clock()
        self.ids = itertools.count()
        self.guards = Guards(Pools(Timeouts(1, 1, 1, 1)), self.clock, time.perf_counter)

    def guard(self, **changes):
        secrets = changes.pop("signing", (SECRET,))
        guard = Guard(
            id=str(next(self.ids)),
            name="names",
            url=self.server.url,
            allow_private=True,
            kinds=(KIND,),
            phases=("request",),
            deadline_ms=PATIENT_MS,
            tells_user=False,
            redacted=False,
            cache=False,
            secrets=(),
        )
        guard = replace(guard, **changes)
        return LoadedGuard(guard, contract.fingerprint(guard), secrets)

    def scan(self, *guards, leaves=LEAVES, scan=NOTHING, masks=None):
        return self.loop.run(self.scanning(*guards, leaves=leaves, scan=scan, masks=masks))

    def scanning(self, *guards, leaves=LEAVES, scan=NOTHING, masks=None):
        async def mask():
            return masks

        asked = Asked("request", "call", "acme", "helpdesk", "gpt")
        return self.guards.scan(guards, Inquiry(asked, leaves, bytes.hex, mask), scan)

    def outcome(self, *guards, **terms):
        scan = self.scan(*guards, **terms)
        outcomes = [one.outcome for one in scan.heard]
        good = all(one in ("answered", "remembered") for one in outcomes)
        assert scan.failed == (frozenset() if good else {"custom"})
        return outcomes[0]


@pytest.fixture(scope="module")
def server():
    with Guarding() as guard:
        yield guard


@pytest.fixture
def room(loop, server):
    server.reset()
    room = Room(loop, server)
    yield room
    loop.run(room.guards.close())


def test_what_is_found_joins_what_was_found(room):
    guard = room.guard()
    scan = room.scan(guard, scan=Scan((MAIL,), frozenset({"secrets"})))
    assert scan.findings == (MAIL, *FOUND)
    assert scan.failed == {"secrets"}
    ((name, version, outcome, latency_ms),) = scan.heard
    assert (name, version, outcome) == ("names", guard.version, "answered")
    assert latency_ms >= 0
    assert room.server.told[0].texts == [leaf.text for leaf in LEAVES]


def test_two_secrets_sign_while_one_is_renewed(room):
    assert room.outcome(room.guard(signing=("a-newer-secret-of-ours", SECRET))) == "answered"
    assert room.outcome(room.guard(signing=("somebody-elses-secret",))) == "invalid"
    assert room.server.unsigned == 1


@pytest.mark.parametrize(
    ("prepared", "outcome"),
    [
        (Prepared(status=500), "status"),
        (Prepared(status=404), "invalid"),
        (Prepared(status=201), "invalid"),
        (Prepared(status=302, headers=(("location", "http://127.0.0.1/"),)), "invalid"),
        (Prepared(body=b" " * (contract.MOST_BYTES + 1)), "invalid"),
        (Prepared(body=b"<html>"), "invalid"),
        (Prepared(content_type="text/html"), "invalid"),
        (Prepared(headers=(("content-encoding", "gzip"),)), "invalid"),
        (Prepared(body=b'{"version": 1, "findings": [{"kind": "OTHER", "score": 1, "leaf": 0}]}'),
         "invalid"),
        (Prepared(body=b'{"version": 1, "findings": '
                       b'[{"kind": "PROJECT_NAME", "score": 1, "leaf": 0, "start": 3, "end": 6}]}'),
         "invalid"),
    ],
)  # fmt: skip
def test_any_other_answer_is_a_failure(room, prepared, outcome):
    room.server.prepared = prepared
    assert room.outcome(room.guard()) == outcome
    assert len(room.server.told) == 1  # one attempt, no redirect


def test_who_answers_too_late_has_failed(room):
    room.server.prepared = Prepared(hangs=True)
    assert room.outcome(room.guard(deadline_ms=HASTY_MS)) == "late"


def test_nobody_there_is_a_failure(room):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        assert room.outcome(room.guard(url=nobody)) == "unreachable"


def test_a_private_address_is_reached_only_where_that_is_allowed(room):
    assert room.outcome(room.guard(allow_private=False)) == "unreachable"
    named = room.server.url.replace("127.0.0.1", "localhost")
    assert room.outcome(room.guard(allow_private=False, url=named)) == "unreachable"
    assert not room.server.told
    assert not room.server.unsigned


def test_one_that_keeps_failing_is_left_alone_and_comes_back(room):
    guard = room.guard()
    room.server.prepared = Prepared(status=503)
    outcomes = [room.outcome(guard) for _ in range(int(OPENS_AT) + 3)]
    assert outcomes == ["status"] * int(OPENS_AT) + ["left_alone"] * 3
    assert len(room.server.told) == OPENS_AT
    room.clock.now_s += FIRST_OPEN_S
    assert room.outcome(guard) == "status"  # a probe, which fails: twice as long
    room.clock.now_s += FIRST_OPEN_S
    assert room.outcome(guard) == "left_alone"
    room.clock.now_s += FIRST_OPEN_S
    room.server.prepared = None
    assert [room.outcome(guard) for _ in range(PROBES + 1)] == ["answered"] * (PROBES + 1)


def test_another_configuration_is_asked_anew(room):
    guard = room.guard(deadline_ms=HASTY_MS)
    room.server.prepared = Prepared(status=503)
    for _ in range(int(OPENS_AT)):
        room.outcome(guard)
    assert room.outcome(guard) == "left_alone"
    room.server.prepared = None
    whole = replace(guard.guard, deadline_ms=PATIENT_MS)
    assert room.outcome(LoadedGuard(whole, contract.fingerprint(whole), (SECRET,))) == "answered"


def test_a_bad_answer_to_one_text_closes_nobody_out(room):
    guard = room.guard()
    room.server.prepared = Prepared(body=b"?")
    assert {room.outcome(guard) for _ in range(int(OPENS_AT) + 2)} == {"invalid"}


def test_what_is_found_is_remembered_where_it_may_be(room):
    guard = room.guard(cache=True)
    assert room.scan(guard).findings == FOUND
    again = room.scan(guard, leaves=(*LEAVES, Leaf("More of Bluebird", "user", "v")))
    assert [one.leaf for one in again.findings] == [1, 2]
    assert [told.texts for told in room.server.told[1:]] == [["More of Bluebird"]]
    assert room.outcome(guard) == "remembered"
    assert room.outcome(guard, leaves=(LEAVES[1]._replace(role="tool"),)) == "answered"
    asked = len(room.server.told)
    room.clock.now_s += KEPT_S
    assert room.outcome(guard) == "answered"
    assert len(room.server.told) == asked + 1
    room.clock.now_s -= KEPT_S
    assert room.outcome(room.guard(cache=False)) == "answered"


def test_what_a_guard_was_sent_is_what_it_is_remembered_by(room):
    guard = room.guard(redacted=True, cache=True)
    leaf = Leaf("ann@example.com on Bluebird", "user", "u")
    longer = leaf._replace(text="ann.other@example.com on Bluebird")
    mail = MAIL._replace(leaf=0, start=0, end=15)

    def found(leaf, *hidden):
        scan = room.scan(guard, leaves=(leaf,), masks=masked([leaf], hidden))
        return scan.heard[0].outcome, [leaf.text[one.start : one.end] for one in scan.findings]

    assert found(leaf, mail) == ("answered", ["Bluebird"])
    assert found(longer, mail._replace(end=21)) == ("remembered", ["Bluebird"])
    assert found(leaf, mail, mail._replace(kind="PERSON", start=19, end=27)) == ("answered", [])
    assert found(leaf) == ("answered", ["Bluebird"])


def test_a_failure_is_not_remembered(room):
    guard = room.guard(cache=True)
    room.server.prepared = Prepared(body=b"?")
    assert room.outcome(guard) == "invalid"
    room.server.prepared = None
    assert room.scan(guard).findings == FOUND


def test_personal_data_is_masked_where_the_guard_is_to_see_none(room):
    late = LEAVES[1]._replace(text="ann@example.com on Bluebird")
    scan = room.scan(room.guard(redacted=True), masks=masked(LEAVES, [MAIL]))
    assert scan.findings == FOUND
    assert room.server.told[0].texts[1] == "Bluebird is late, <EMAIL_ADDRESS>"
    moved = MAIL._replace(leaf=0, start=0, end=15)
    (found,) = room.scan(
        room.guard(redacted=True), leaves=(late,), masks=masked([late], [moved])
    ).findings
    assert late.text[found.start : found.end] == "Bluebird"


def test_what_cannot_be_masked_is_not_sent(room):
    assert room.outcome(room.guard(redacted=True), masks=None) == "unmasked"
    assert not room.server.told


def test_what_is_too_large_is_not_sent(room):
    assert room.outcome(room.guard(), leaves=(Leaf("x" * (MAX_TEXT + 1), "user", "u"),)) == (
        "too_large"
    )
    assert not room.server.told


def test_one_guard_that_fails_hides_nothing_that_another_found(room):
    with Guarding() as other:
        other.prepared = Prepared(status=500)
        scan = room.scan(room.guard(), room.guard(url=other.url))
    assert scan.findings == FOUND
    assert scan.failed == {"custom"}
    assert [one.outcome for one in scan.heard] == ["answered", "status"]


def test_what_is_under_way_is_bounded(room):
    guard = room.guard(deadline_ms=1_000)
    room.server.prepared = Prepared(hangs=True)

    async def flood():
        scans = (room.scanning(guard) for _ in range(2 * MOST_IN_FLIGHT + 1))
        return await asyncio.gather(*scans)

    outcomes = [scan.heard[0].outcome for scan in room.loop.run(flood())]
    assert outcomes.count("busy") >= 1
    assert set(outcomes) <= {"busy", "late"}
    assert len(room.server.told) <= MOST_IN_FLIGHT
    room.server.released.set()
    room.server.released.clear()
