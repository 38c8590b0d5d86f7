"""Programs are kept running, and stopped in order: shown with small real processes."""

import itertools
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.deaths import DEATHS_MAX

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20

# Reports each change as a line of JSON. Restarts come 25 times sooner than in earnest.
HARNESS = """
import json, os, sys, time
from pathlib import Path
from gateway import deaths
from gateway.supervisor import GaveUpError, Part, Supervisor, stop_requests
deaths.FIRST_DELAY_S /= 25
deaths.LAST_DELAY_S /= 25
def tell(what):
    print(json.dumps(what), flush=True)
parts = [Part(**part) for part in json.loads(sys.argv[1])]
watched = Supervisor(
    parts, environ=os.environ, cwd=Path.cwd(), words=sys.stderr.buffer,
    changed=lambda pids: tell({"at": time.monotonic(), "pids": pids}),
    stopping=lambda: tell("stopping"),
)
def tick():
    if "fail" in sys.argv:
        raise GaveUpError("told to")
    return False
with stop_requests() as requests:
    try:
        watched.run(requests, tick)
    except GaveUpError as error:
        tell(str(error))
        sys.exit(1)
"""
LOG = "open(sys.argv[1], 'a').write(sys.argv[2] + '\\n')"
OBEDIENT = f"""
import signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[3])); {LOG}; sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, lambda *_: open(sys.argv[1], 'a').write('SIGINT '))
print('up', file=sys.stderr, flush=True)
while True: signal.pause()
"""
DEAF = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('up', file=sys.stderr, flush=True)
while True: signal.pause()
"""


class Lines:
    """The lines of a pipe, none of which may take too long."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._pending = b""

    def __iter__(self):
        return self

    def __next__(self):
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._pipe], [], [], PATIENCE_S)
            assert ready, "nothing happened"
            data = os.read(self._pipe.fileno(), 65536)
            if not data:
                raise StopIteration
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()


class Watched:
    """A supervisor in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.errors = Lines(process.stderr)
        self._events = Lines(process.stdout)

    def event(self):
        return json.loads(next(self._events))

    def await_up(self, count):
        """Wait until that many parts have installed their handlers."""
        assert list(itertools.islice(self.errors, count)) == ["up"] * count

    def end(self):
        """Return what was still said, once the supervisor has ended."""
        said = [json.loads(line) for line in self._events]
        self.process.wait(PATIENCE_S)
        return said


def part(name, program, *arguments, **kwargs):
    argv = [sys.executable, "-c", program, *map(str, arguments)]
    return {"name": name, "argv": argv, "stage": 0, "grace_s": 10.0} | kwargs


@contextmanager
def supervising(*parts, options=()):
    process = subprocess.Popen(
        [sys.executable, "-c", HARNESS, json.dumps(parts), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            yield Watched(process)
        finally:
            process.kill()


def has_ended(pid):
    """Wait for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def test_a_dead_part_is_restarted_and_its_neighbour_left_alone(tmp_path):
    log = tmp_path / "log"
    parts = (part("one", OBEDIENT, log, "one", 0), part("two", OBEDIENT, log, "two", 0))
    with supervising(*parts) as watched:
        first = watched.event()["pids"]
        os.kill(first["one"], signal.SIGKILL)
        second = watched.event()["pids"]
    assert second["two"] == first["two"]
    assert second["one"] not in (None, first["one"])


def test_five_quick_deaths_stop_everything_with_the_reason(tmp_path):
    bad = "import sys; sys.exit('this is why')"
    parts = (part("bad", bad), part("good", OBEDIENT, tmp_path / "log", "good", 0))
    with supervising(*parts) as watched:
        events = [watched.event() for _ in range(5)]
        *_, stopping, reason = watched.end()
        assert watched.process.returncode == 1
    assert stopping == "stopping"
    assert reason.startswith("bad ended 5 times within 60 s, last with code 1.")
    assert "this is why" in reason
    starts = [event["at"] for event in events]
    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert all(gap >= least for gap, least in zip(gaps, (0.02, 0.04, 0.08, 0.16), strict=True))
    assert (tmp_path / "log").read_text() == "good\n"


def test_a_part_that_is_not_needed_may_die_as_often_as_it_likes(tmp_path):
    bad = "import sys; sys.exit('this is why')"
    parts = (
        part("bad", bad, is_needed=False),
        part("good", OBEDIENT, tmp_path / "log", "good", 0),
    )
    with supervising(*parts) as watched:
        events = [watched.event()["pids"] for _ in range(DEATHS_MAX + 2)]
    assert len({pids["bad"] for pids in events}) == DEATHS_MAX + 2
    assert len({pids["good"] for pids in events}) == 1


def test_a_part_killed_by_a_signal_is_reported_by_its_name():
    bad = "import os; os.kill(os.getpid(), 11)"
    with supervising(part("bad", bad)) as watched:
        *_, reason = watched.end()
    assert "last by SIGSEGV. Its last words: nothing." in reason


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stages_stop_one_after_the_other(tmp_path, number):
    log = tmp_path / "log"
    parts = (
        part("late", OBEDIENT, log, "late", 0, stage=1),
        part("slow", OBEDIENT, log, "slow", 0.3),
        part("quick", OBEDIENT, log, "quick", 0),
    )
    with supervising(*parts) as watched:
        pids = watched.event()["pids"]
        watched.await_up(3)
        # To the whole group, as a terminal does: the parts must not hear of it.
        os.killpg(watched.process.pid, number)
        assert watched.end() == ["stopping"]
        assert watched.process.returncode == 0
        assert all(has_ended(pid) for pid in pids.values())
    assert log.read_text().split() == ["quick", "slow", "late"]


def test_a_deaf_part_is_killed_after_its_grace():
    with supervising(part("deaf", DEAF, grace_s=0.2)) as watched:
        pid = watched.event()["pids"]["deaf"]
        watched.await_up(1)
        watched.process.terminate()
        assert watched.end() == ["stopping"]
        assert has_ended(pid)


def test_a_second_request_hurries():
    with supervising(part("deaf", DEAF, grace_s=600)) as watched:
        pid = watched.event()["pids"]["deaf"]
        watched.await_up(1)
        watched.process.send_signal(signal.SIGINT)
        assert watched.event() == "stopping"
        watched.process.send_signal(signal.SIGINT)
        assert watched.end() == []
        assert has_ended(pid)


def test_a_supervisor_that_is_killed_leaves_no_orphan(tmp_path):
    parts = (
        part("obedient", OBEDIENT, tmp_path / "log", "obedient", 0),
        part("deaf", DEAF, orphaned=signal.SIGKILL),
    )
    with supervising(*parts) as watched:
        pids = watched.event()["pids"]
        watched.await_up(2)
        watched.process.kill()
        assert all(has_ended(pid) for pid in pids.values())
    assert (tmp_path / "log").read_text() == "obedient\n"


def test_much_writing_neither_blocks_a_part_nor_is_lost():
    loud = "import sys; sys.stderr.write('x' * 3_000_000 + '\\nend'); sys.exit(3)"
    with supervising(part("loud", loud)) as watched:
        lines = list(watched.errors)
    assert sum(map(len, lines)) == (3_000_000 + len("end")) * DEATHS_MAX
    assert lines.count("end") == DEATHS_MAX


def test_a_failing_tick_stops_everything(tmp_path):
    log = tmp_path / "log"
    with supervising(part("good", OBEDIENT, log, "good", 0), options=["fail"]) as watched:
        pid = watched.event()["pids"]["good"]
        assert watched.end() == ["stopping", "told to"]
        assert watched.process.returncode == 1
        assert has_ended(pid)


def test_a_part_does_not_see_what_is_hidden_from_it(monkeypatch):
    monkeypatch.setenv("GATEHOUSE_TEST_WORD", "hidden")
    show = "import os, sys; sys.exit('saw ' + os.environ.get('GATEHOUSE_TEST_WORD', 'nothing'))"
    parts = (part("blind", show, hidden=["GATEHOUSE_TEST_WORD"]),)
    with supervising(*parts) as watched:
        *_, reason = watched.end()
    assert "saw nothing" in reason
