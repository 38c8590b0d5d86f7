"""Child processes that never outlive us, and the account that they run under."""

import contextlib
import functools
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LIFELINE = Path(__file__).with_name("lifeline.py")
# Accounts under which servers may run when we are root, best first; the last exists everywhere.
ACCOUNTS = ("gatehouse", "postgres", "nobody")
POLL_S = 0.01
TAIL_LINES = 12
LOG_BYTES_MAX = 16 * 1024 * 1024
PORT_ATTEMPTS = 3
PORT_TAKEN = "Address already in use"

Stream = BinaryIO


class ServerError(Exception):
    """A server of ours cannot run. The message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a child becomes. `reach` lets it pass folders that are closed to that account."""

    uid: int
    gid: int
    reach: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """How a child is started. `end` is the signal that the kernel sends it when we die."""

    end: signal.Signals
    account: Account | None = None
    environ: Mapping[str, str] | None = None
    cwd: Path | None = None
    keep: tuple[int, ...] = ()
    stdin: Stream | int = subprocess.DEVNULL
    stdout: Stream | int | None = None
    stderr: Stream | int | None = None


def spawn(argv: Sequence[str], launch: Launch) -> subprocess.Popen[bytes]:
    """Start a program that ends when this thread's process does, even by SIGKILL.

    Call it from the main thread: the kernel watches the thread that spawned. The child gets a
    session of its own, so that Ctrl-C in a terminal reaches us alone and we choose the order.
    """
    who = launch.account or Account(-1, -1)
    tied = [sys.executable, "-I", "-S", str(LIFELINE), str(os.getpid()), str(int(launch.end))]
    tied += [str(who.uid), str(who.gid), str(int(who.reach)), *argv]
    return subprocess.Popen(  # noqa: S603 - a list of our own making, no shell
        tied,
        env=launch.environ,
        cwd=launch.cwd,
        pass_fds=launch.keep,
        stdin=launch.stdin,
        stdout=launch.stdout,
        stderr=launch.stderr,
        start_new_session=True,
    )


def tell(process: subprocess.Popen[bytes], text: bytes) -> None:
    """Write the whole of standard input, and close it."""
    if process.stdin is not None:
        with process.stdin as pipe, contextlib.suppress(BrokenPipeError):  # ended: seen elsewhere
            pipe.write(text)


def stop(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn, waiting its seconds for the end, then kill."""
    for number, patience_s in (*steps, (signal.SIGKILL, None)):
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        return


def account_for(folder: Path, *programs: Path) -> Account | None:
    """Return the account for servers that own `folder`, or None where they run as we do."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat().st_uid if folder.exists() else 0
    entry = pwd.getpwuid(owner) if owner else _first_account()
    closed = any(not _passable(path) for path in (folder, *programs))
    return Account(entry.pw_uid, entry.pw_gid, reach=closed)


def give(folder: Path, account: Account | None) -> None:
    """Make a private folder that belongs to the account."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def serve(
    name: str,
    log: Path,
    begin: Callable[[int, Stream], subprocess.Popen[bytes]],
    answers: Callable[[int], bool],
    *,
    port: int | None,
    patience_s: float,
) -> tuple[subprocess.Popen[bytes], int]:
    """Begin a server on that loopback port, or a free one; return it and the port when it answers.

    Raises ServerError with the end of the log.
    """
    attempts, wanted = (PORT_ATTEMPTS, None) if port is None else (1, port)
    while True:
        attempts, port = attempts - 1, wanted or _free_port()
        with _appended(log) as file:
            start = file.tell()
            process = begin(port, file)
        try:
            _await_answer(process, functools.partial(answers, port), patience_s)
        except ServerError as error:
            stop(process, ())
            written = tail(log, start)
            # Between our look and the server's bind another program may have taken the port.
            if attempts and PORT_TAKEN in written:
                continue
            raise ServerError(f"{name} {error} It wrote:\n{written}") from error
        return process, port


def tail(log: Path, start: int = 0) -> str:
    """Return the last lines that were written to `log` after byte `start`, indented."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _appended(log: Path) -> Stream:
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.rename(log.with_suffix(".log.1"))
    return log.open("ab")


def _await_answer(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], patience_s: float
) -> None:
    deadline = time.monotonic() + patience_s
    while not answers():
        code = process.poll()
        if code is not None:
            raise ServerError(f"ended with code {code} while starting.")
        if time.monotonic() > deadline:
            raise ServerError(f"did not answer within {patience_s:g} s.")
        time.sleep(POLL_S)


def _first_account() -> pwd.struct_passwd:
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError(
        f"PostgreSQL refuses to run as root, and none of the accounts {', '.join(ACCOUNTS)} "
        "exists. Create one, run as an ordinary user, or set DATABASE_URL."
    )


def _passable(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
