"""Keeps programs running: restarts the dead after growing delays, stops all in order."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO

from gateway import child, deaths
from gateway.child import Launch
from gateway.deaths import DEATHS_MAX, WINDOW_S, History

TICK_S = 0.1
CHUNK_BYTES = 65536
LINE_BYTES_MAX = 1024 * 1024
LAST_WORDS_BYTES = 4096
LAST_WORDS_LINES = 12
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class GaveUpError(Exception):
    """Something cannot run, so nothing should. The message gives the reason."""


@dataclass(frozen=True, slots=True)
class Part:
    """A program to keep running. Parts stop stage by stage, lowest first, given `grace_s` each.

    `orphaned` is the signal that the kernel sends it should we be killed; `hidden` names variables
    of the environment that it has no use for. One that is not needed is started again for ever.
    """

    name: str
    argv: tuple[str, ...]
    stage: int
    grace_s: float
    orphaned: signal.Signals = signal.SIGTERM
    keep: tuple[int, ...] = ()
    hidden: tuple[str, ...] = ()
    is_needed: bool = True


class StopRequests:
    """Counts the signals that ask us to stop, and wakes whoever selects on `reader`."""

    def __init__(self, reader: socket.socket) -> None:
        self.reader = reader
        self.count = 0

    def drain(self) -> None:
        """Take the signals that have come."""
        with contextlib.suppress(BlockingIOError):
            self.count += sum(number in STOP_SIGNALS for number in self.reader.recv(4096))


@contextlib.contextmanager
def stop_requests() -> Iterator[StopRequests]:
    """Turn stop signals and the deaths of children into something to select on, while it lasts."""
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0)
        writer.settimeout(0)
        numbers = (*STOP_SIGNALS, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda *_: None) for number in numbers}
        wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield StopRequests(reader)
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(slots=True, eq=False)
class _Run:
    """A part and its present process; between a death and the next start there is none."""

    part: Part
    history: History = field(default_factory=History)
    process: subprocess.Popen[bytes] | None = None
    pipe: IO[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    unfinished: bytes = b""
    last_words: bytes = b""


class Supervisor:
    """Runs the parts until a stop is requested. Its clock is the steady one.

    `words` takes what parts write to standard error. `changed` hears the process id of each part,
    None between its death and its restart, whenever one was started; `stopping` hears of the end.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        environ: Mapping[str, str],
        cwd: Path,
        words: BinaryIO,
        changed: Callable[[Mapping[str, int | None]], None] = lambda _pids: None,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        self._runs = [_Run(part) for part in parts]
        self._environ = environ
        self._cwd = cwd
        self._words = words
        self._changed = changed
        self._stopping = stopping
        self._ending = False
        self._selector = selectors.DefaultSelector()

    def run(self, requests: StopRequests, tick: Callable[[], bool]) -> None:
        """Keep the parts running until a stop is requested, then stop them.

        `tick` is called whenever a child of this process, ours or not, may have died, and every
        TICK_S while it returns True. With everything stopped, raises what `tick` raises, and
        GaveUpError if a part keeps dying.
        """
        self._selector.register(requests.reader, selectors.EVENT_READ, requests.drain)
        try:
            while not requests.count:
                self._start_due()
                self._wait(TICK_S if tick() else self._until_due())
        finally:
            self._stop_all(requests)
            self._selector.close()

    def _start_due(self) -> None:
        now = time.monotonic()
        due = [run for run in self._runs if run.process is None and run.due <= now]
        for run in due:
            self._start(run, now)
        if due:
            self._changed({run.part.name: _pid(run) for run in self._runs})

    def _start(self, run: _Run, now: float) -> None:
        launch = Launch(
            end=run.part.orphaned,
            environ={k: v for k, v in self._environ.items() if k not in run.part.hidden},
            cwd=self._cwd,
            keep=run.part.keep,
            stderr=subprocess.PIPE,
        )
        run.process = child.spawn(run.part.argv, launch)
        run.started, run.last_words = now, b""
        run.pipe = run.process.stderr
        if run.pipe is not None:
            os.set_blocking(run.pipe.fileno(), False)
            self._selector.register(run.pipe, selectors.EVENT_READ, lambda: self._listen(run))

    def _until_due(self) -> float | None:
        waits = [run.due - time.monotonic() for run in self._runs if run.process is None]
        return max(0.0, min(waits)) if waits else None

    def _wait(self, patience_s: float | None) -> None:
        """Handle what happens within that time: signals, words, deaths."""
        for key, _ in self._selector.select(patience_s):
            key.data()
        for run in self._runs:
            if run.process is not None and run.process.poll() is not None:
                self._bury(run, run.process)

    def _listen(self, run: _Run) -> bool:
        """Pass on what a part wrote. False at the end, or while there is nothing."""
        if run.pipe is None:
            return False
        try:
            data = os.read(run.pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self._hang_up(run, run.pipe)
            return False
        run.last_words = (run.last_words + data)[-LAST_WORDS_BYTES:]
        whole, _, run.unfinished = (run.unfinished + data).rpartition(b"\n")
        if whole:
            self._pass_on(whole)
        if len(run.unfinished) > LINE_BYTES_MAX:
            self._finish_line(run)
        return True

    def _pass_on(self, lines: bytes) -> None:
        """Write whole lines, so that those of several parts never mix."""
        left = memoryview(lines + b"\n")
        with contextlib.suppress(OSError):  # our own reader may have gone; the parts matter more
            while left:  # unbuffered, a signal cuts a write short
                left = left[self._words.write(left) :]
            self._words.flush()

    def _finish_line(self, run: _Run) -> None:
        if run.unfinished:
            self._pass_on(run.unfinished)
            run.unfinished = b""

    def _hang_up(self, run: _Run, pipe: IO[bytes]) -> None:
        self._finish_line(run)
        self._selector.unregister(pipe)
        pipe.close()
        run.pipe = None

    def _bury(self, run: _Run, process: subprocess.Popen[bytes]) -> None:
        """Take note of a death; outside a stop, plan the restart or give everything up."""
        while self._listen(run):
            pass
        if run.pipe is not None:  # a child of the dead still holds the other end
            self._hang_up(run, run.pipe)
        run.process = None
        now = time.monotonic()
        delay = run.history.note(run.started, now)
        if self._ending:
            return
        if delay is None and run.part.is_needed:
            raise GaveUpError(_reason(run, process.returncode))
        run.due = now + (deaths.LAST_DELAY_S if delay is None else delay)

    def _stop_all(self, requests: StopRequests) -> None:
        """Stop stage by stage. One more request than there were kills what still runs."""
        self._ending, before = True, requests.count
        self._stopping()
        for stage in sorted({run.part.stage for run in self._runs}):
            runs = [run for run in self._runs if run.part.stage == stage]
            for run in runs:
                if run.process is not None:
                    run.process.terminate()
            begun = time.monotonic()
            while alive := [run for run in runs if run.process is not None]:
                for run in alive:
                    overdue = time.monotonic() - begun > run.part.grace_s
                    if run.process is not None and (overdue or requests.count > before):
                        run.process.kill()
                self._wait(TICK_S)


def _pid(run: _Run) -> int | None:
    return None if run.process is None else run.process.pid


def _reason(run: _Run, code: int) -> str:
    how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
    words = run.last_words.decode(errors="replace").splitlines()[-LAST_WORDS_LINES:]
    said = "".join(f"\n  {line}" for line in words) or " nothing."
    return (
        f"{run.part.name} ended {DEATHS_MAX} times within {WINDOW_S:g} s, last {how}. "
        f"Its last words:{said}"
    )
