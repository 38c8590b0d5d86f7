"""The data plane's tests once more, against the system's own PostgreSQL where there is one.

`python -m tests.system_postgres` starts the newest server of at least version 15 that is installed
outside of our packages, on loopback, makes the two roles, and runs the tests that lean on the
database as an external one. Where none is installed it says so.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from gateway.child import ServerError

ROOT = Path(__file__).parents[1]
OLDEST = 15
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
TESTS = (
    "tests/gateway/proxy/test_evidence.py",
    "tests/gateway/proxy/test_money.py",
    "tests/gateway/test_migrations.py",
    "tests/tenants/test_holds.py",
)
PASSWORD = "loopback-only"


def programs():
    """Return the folder of the newest server that is new enough, or None."""
    found = []
    for pattern in PLACES:
        for folder in Path("/").glob(pattern.lstrip("/")):
            with contextlib.suppress(OSError, subprocess.CalledProcessError, IndexError):
                said = subprocess.run(
                    [folder / "postgres", "--version"], check=True, capture_output=True, text=True
                )
                version = int(said.stdout.split()[2].split(".")[0])
                if version >= OLDEST:
                    found.append((version, folder))
    return max(found)[1] if found else None


@contextlib.contextmanager
def serving(folder):
    """Run a fresh server; yield the URLs of the application's role and of the owner."""
    account = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    data = Path(tempfile.mkdtemp(prefix="gatehouse-system-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = None
    try:
        if account:
            shutil.chown(data, **account)
        subprocess.run(
            [folder / "initdb", "-D", data / "pg", "-U", "super", "-A", "trust", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", **account,
        )  # fmt: skip
        place = ["-D", data / "pg", "-p", str(port), "-k", data, "-h", "localhost"]
        server = subprocess.Popen(
            [folder / "postgres", *place],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **account,
        )  # fmt: skip
        prepare(port)
        yield tuple(
            f"postgresql://gatehouse_{role}:{PASSWORD}@127.0.0.1:{port}/gatehouse"
            for role in ("app", "owner")
        )
    finally:
        if server is not None:
            server.terminate()
            server.wait()
        shutil.rmtree(data, ignore_errors=True)


def prepare(port):
    """Make the roles and the database, as an administrator of a managed server would."""
    url = f"postgresql://super@127.0.0.1:{port}/postgres"
    for _ in range(300):
        try:
            connection = psycopg.connect(url, autocommit=True, connect_timeout=1)
        except psycopg.OperationalError:
            subprocess.run(["sleep", "0.1"], check=True)
            continue
        with connection:
            for role, rights in (("owner", "CREATEDB"), ("app", "")):
                connection.execute(
                    f"CREATE ROLE gatehouse_{role} LOGIN {rights} PASSWORD '{PASSWORD}'"
                )
            connection.execute("CREATE DATABASE gatehouse OWNER gatehouse_owner")
        return
    raise ServerError("the system's PostgreSQL did not start")


def main():
    """Run the tests; return pytest's exit code, 0 where there is no such server."""
    folder = programs()
    if folder is None:
        sys.stdout.write(f"no PostgreSQL of version {OLDEST} or newer is installed here\n")
        return 0
    with serving(folder) as (app, owner):
        environ = {
            **os.environ,
            "GATEHOUSE_TEST_DATABASE_URL": app,
            "GATEHOUSE_TEST_DATABASE_OWNER_URL": owner,
        }
        sys.stdout.write(f"with the server in {folder}\n")
        sys.stdout.flush()
        command = [sys.executable, "-m", "pytest", "-q", *TESTS]
        return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
