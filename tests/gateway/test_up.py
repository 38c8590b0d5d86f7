"""What `make run` binds, says and starts; the whole of it is run by the end-to-end tests."""

import contextlib
import http.server
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gateway.child import ServerError
from gateway.config import load
from gateway.data_folder import DataFolder
from gateway.embedded import Endpoints, Servers
from gateway.up import Front, Interruption, Prepared, announcement, listen, parts_of, shared_metrics

ROOT = Path(__file__).parents[2]
ENDPOINTS = Endpoints("postgresql://app@h/d", "postgresql://owner@h/d", "redis://h")


@pytest.fixture
def web():
    """A web server whose /readyz says what the test tells it to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/readyz"
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(b"the database is away")

        def log_message(self, *_arguments):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status = 503
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def config_for(data, **environ):
    return load({"GATEHOUSE_DATA": str(data), **environ})


def test_a_taken_port_is_named_with_the_way_out():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ServerError, match=f"Port {port} on 127.0.0.1 .*in use") as caught:
            listen("127.0.0.1", port)
    assert f"PORT={port + 1} make run" in str(caught.value)


def test_a_host_that_is_none_is_named():
    with pytest.raises(ServerError, match=r"(HOST|on) 203\.0\.113\.9"):
        listen("203.0.113.9", 8000)


def test_the_socket_accepts_and_can_be_bound_again_at_once():
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            accepted.close()
            assert client.recv(1) == b""
    listen("127.0.0.1", port).close()


def test_a_first_start_shows_the_link_and_a_key_that_works_in_a_shell():
    made = Prepared("http://h/setup/x", "gth_key", "m", "", "")
    text = announcement("http://h:1", made)
    assert "http://h/setup/x" in text
    command = shlex.split(text[text.index("curl") : text.index("\n\n  Ctrl-C")])
    assert command[:2] == ["curl", "http://h:1/v1/chat/completions"]
    assert "Authorization: Bearer gth_key" in command
    assert '{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}' in command
    assert "password" not in text


def test_a_later_start_shows_the_variable_and_no_secret():
    text = announcement("http://h:1", Prepared(model="m"))
    assert '"Authorization: Bearer $GATEHOUSE_KEY"' in text
    assert "link" not in text


def test_an_administrator_that_was_made_is_shown_once():
    text = announcement("http://h:1", Prepared(email="admin@acme.example", password="pw"))
    assert "Sign in as admin@acme.example with the password pw" in text


def test_web_stops_before_what_it_needs_and_never_sees_the_owner(tmp_path):
    parts = parts_of(config_for(tmp_path, WEB_WORKERS="2", GATEHOUSE_DRAIN_S="7"), 5)
    assert [part.name for part in parts] == ["web 1", "web 2", "worker", "beat"]
    assert [part.stage for part in parts] == [0, 0, 1, 1]
    assert [part.hidden for part in parts] == [("DATABASE_OWNER_URL",)] * 2 + [()] * 2
    assert [part.keep for part in parts] == [(5,), (5,), (), ()]
    assert parts[0].argv[-3:] == ("gateway.serve", "--fd", "5")
    assert parts[0].grace_s > 7


def test_models_of_names_run_beside_everything_and_see_no_secret(tmp_path):
    file = tmp_path / "names.yaml"
    file.write_text("models: []")
    for role in ("all", "proxy"):
        config = config_for(tmp_path, GATEHOUSE_NER=str(file), GATEHOUSE_ROLE=role)
        part = next(part for part in parts_of(config, 5) if part.name == "ner")
        assert not part.is_needed
        assert {"DATABASE_URL", "GATEHOUSE_KEK", "GATEHOUSE_KEK_FILE"} <= {*part.hidden}


def test_several_web_processes_count_in_one_place_that_begins_empty(tmp_path):
    assert shared_metrics(config_for(tmp_path, WEB_WORKERS="1")) == {}
    config = config_for(tmp_path, WEB_WORKERS="2")
    place = Path(shared_metrics(config)["PROMETHEUS_MULTIPROC_DIR"])
    (place / "counter_1.db").write_text("of an earlier run")
    assert shared_metrics(config) == {"PROMETHEUS_MULTIPROC_DIR": str(place)}
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("role", "names"),
    [("proxy", ["web 1"]), ("console", ["web 1", "worker", "beat"])],
)
def test_a_role_runs_its_parts(tmp_path, role, names):
    parts = parts_of(config_for(tmp_path, GATEHOUSE_ROLE=role), 5)
    assert [part.name for part in parts] == names


def test_nothing_is_announced_before_the_web_is_ready(tmp_path, web, capsys):
    servers = Servers()
    config = config_for(tmp_path, PORT=str(web.server_address[1]))
    folder = DataFolder(tmp_path)
    front = Front(config, ENDPOINTS, servers, Prepared(key="gth_key"))
    front.changed({"web 1": 1, "web 2": None, "worker": 3, "beat": 4})
    assert front.tick()
    assert folder.read_services() is None
    assert capsys.readouterr().out == ""
    web.status = 200
    assert not front.tick()
    assert "Bearer gth_key" in capsys.readouterr().out
    services = folder.read_services()
    assert (services.base_url, services.database_url, services.redis_url) == (
        config.base_url,
        "postgresql://app@h/d",
        "redis://h",
    )
    none = {"postgres": None, "redis": None}
    assert services.pids == {"up": os.getpid(), "web": [1], "worker": 3, "beat": 4, **none}
    front.changed({"web 1": 1, "web 2": 2, "worker": 33, "beat": 4})
    assert folder.read_services().pids["web"] == [1, 2]
    assert folder.read_services().pids["worker"] == 33


def test_a_port_where_nobody_listens_is_not_ready(tmp_path):
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    front = Front(config_for(tmp_path, PORT=str(port)), ENDPOINTS, Servers(), Prepared())
    assert front.tick()


def command(*arguments, **environ):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [("up",), ("check",)])
def test_a_wrong_environment_is_refused_without_a_trace(tmp_path, arguments):
    told = command(*arguments, GATEHOUSE_DATA=str(tmp_path), PORT="http", WEB_WORKERS="many")
    assert told.returncode == 1
    assert told.stderr.startswith("2 settings are wrong:\n  PORT: ")
    assert "Traceback" not in told.stderr


def test_up_on_a_taken_port_starts_nothing(tmp_path):
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        told = command("up", GATEHOUSE_DATA=str(tmp_path / "var"), PORT=str(port))
    assert told.returncode == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in told.stderr
    assert not (tmp_path / "var" / "postgres").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_can_be_stopped_while_it_starts(tmp_path, number):
    up = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "GATEHOUSE_DATA": str(tmp_path), "PORT": free_port()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with up:
        while not (tmp_path / "run" / "servers.lock").exists():
            assert up.poll() is None
        up.send_signal(number)
        try:
            output, _ = up.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            up.kill()  # or leaving the context would wait for ever
            raise
    assert up.returncode == 0, output
    assert "Traceback" not in output
    with DataFolder(tmp_path).claim(), DataFolder(tmp_path).server_lock(patience_s=30):
        pass  # nobody is left who holds the folder


def test_a_request_to_stop_that_got_lost_while_starting_is_remembered():
    interruption = Interruption()
    interruption.check()
    with contextlib.suppress(KeyboardInterrupt):  # as a finalizer swallows it
        interruption(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        interruption.check()


def test_a_web_process_without_servers_says_so(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "gateway.serve"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "GATEHOUSE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("2 settings are wrong:\n  DATABASE_URL: found nothing")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
