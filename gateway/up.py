"""What `make run` runs: our servers, the tables and the seed, then web, worker and beat.

The process that supervises loads no framework. Migrating and seeding need one, so a process of
their own does them first (`manage.py up --prepare`), and its memory is free again afterwards.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import child
from gateway.child import Launch, ServerError
from gateway.config import SECRETS, Config, ConfigError, load
from gateway.data_folder import DataFolder, FolderBusyError, Services
from gateway.embedded import Endpoints, Servers
from gateway.supervisor import GaveUpError, Part, Supervisor, stop_requests

ROOT = Path(__file__).resolve().parents[1]
BACKLOG = 2048
READY_PATIENCE_S = 120.0
PROBE_PATIENCE_S = 2.0
WEB_EXTRA_S = 5.0  # after the drain: what the application still writes down
BACKGROUND_GRACE_S = 15.0
PREPARE_GRACE_S = 5.0
WORKER = (
    "worker",
    "--pool",
    "threads",
    "--concurrency",
    "4",
    "--without-gossip",
    "--without-mingle",
)
# Nobody but its own calls depends on the models: if they cannot be loaded, everything else runs.
NER = Part(
    "ner",
    (sys.executable, "-m", "gateway.ner"),
    stage=1,
    grace_s=5.0,
    orphaned=signal.SIGKILL,
    hidden=SECRETS,
    is_needed=False,
)
REFUSALS = (ConfigError, FolderBusyError, GaveUpError, ServerError)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What migrating and seeding left to show; empty texts where there is nothing.

    `key` is the demo key's secret and `password` the first administrator's, in the run that made
    them alone. `setup_link` is where the first owner is created.
    """

    setup_link: str = ""
    key: str = ""
    model: str = ""
    email: str = ""
    password: str = ""


def main(environ: Mapping[str, str]) -> int:
    """Run everything until SIGINT or SIGTERM. Returns 0, or 1 with the reason on stderr."""
    try:
        with _interruptible() as interruption:
            _run(load(environ), environ, interruption)
    except REFUSALS as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 0  # asked to stop while still starting
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Return the socket on which all web processes accept. Raises ServerError if it is taken."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise ServerError(f"HOST {host} is no address to listen on: {error.strerror}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Port {port} on {host} cannot be used: {error.strerror}. Stop the program that has "
            f"it, or choose another port: PORT={port % 65535 + 1} make run"
        ) from error
    return listener


def announcement(base_url: str, prepared: Prepared) -> str:
    """Return what a person reads once everything answers."""
    key = prepared.key or "$GATEHOUSE_KEY"
    body = {
        "model": prepared.model or "MODEL",
        "messages": [{"role": "user", "content": "Hello"}],
    }
    lines = ["", "Gatehouse is ready.", "", f"  Console: {base_url}/"]
    if prepared.setup_link:
        lines.append(f"  Create the first owner (this link works once): {prepared.setup_link}")
    if prepared.password:
        lines.append(f"  Sign in as {prepared.email} with the password {prepared.password}")
    lines += [
        "",
        "  A first call:",
        "",
        f"curl {base_url}/v1/chat/completions \\",
        f'  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\',
        f"  -d '{json.dumps(body)}'",
        "",
        "  Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)


def parts_of(config: Config, listener: int) -> list[Part]:
    """Return what runs beside the servers: web processes first to stop, then worker and beat."""
    serve = (sys.executable, "-m", "gateway.serve", "--fd", str(listener))
    celery = (sys.executable, "-m", "celery", "--quiet", "-A", "gateway.celery")
    schedule = str(config.data / "beat.schedule")
    web = [
        Part(
            f"web {number}",
            serve,
            stage=0,
            grace_s=config.drain_s + WEB_EXTRA_S,
            keep=(listener,),
            hidden=("DATABASE_OWNER_URL",),  # what faces the network must not change tables
        )
        for number in range(1, config.web_workers + 1)
    ]
    if config.ner_file is not None:
        web.append(NER)
    if config.role == "proxy":
        return web
    # Without its broker a worker may wait for ever, and every task may run twice: hence SIGKILL.
    background = {
        "worker": (*celery, *WORKER),
        "beat": (*celery, "beat", "--schedule", schedule, "--pidfile", ""),
    }
    return web + [
        Part(name, argv, stage=1, grace_s=BACKGROUND_GRACE_S, orphaned=signal.SIGKILL)
        for name, argv in background.items()
    ]


class Front:
    """Tells people and programs where everything is, once the web answers; keeps servers alive."""

    def __init__(
        self,
        config: Config,
        endpoints: Endpoints,
        servers: Servers,
        prepared: Prepared,
    ) -> None:
        self._config = config
        self._endpoints = endpoints
        self._servers = servers
        self._prepared = prepared
        self._pids: Mapping[str, int | None] = {}
        self._ready = False
        self._deadline = time.monotonic() + READY_PATIENCE_S

    def changed(self, pids: Mapping[str, int | None]) -> None:
        """Take the parts' new process ids."""
        self._pids = pids
        if self._ready:
            self._publish()

    def tick(self) -> bool:
        """Revive our servers, and look whether the web answers; False once it did.

        Raises GaveUpError after too long, ServerError for a server that cannot be revived.
        """
        revived = self._servers.revive(time.monotonic())
        if revived:
            sys.stderr.write(f"Started again: {', '.join(revived)}.\n")
        if self._ready:
            if revived:
                self._publish()
            return False
        detail = self._not_ready()
        if detail:
            if time.monotonic() > self._deadline:
                raise GaveUpError(f"Not ready after {READY_PATIENCE_S:g} s: {detail}")
            return True
        self._ready = True
        self._publish()
        sys.stdout.write(announcement(self._config.base_url, self._prepared))
        sys.stdout.flush()
        return False

    def _not_ready(self) -> str:
        """Return why /readyz does not say that all is well, or an empty text."""
        where = self._config.base_url.removeprefix("http://")
        connection = http.client.HTTPConnection(where, timeout=PROBE_PATIENCE_S)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return str(error)
        finally:
            connection.close()
        return "" if answer.status == http.client.OK else said

    def _publish(self) -> None:
        named = dict(self._pids)
        pids: dict[str, int | list[int] | None] = {
            "up": os.getpid(),
            "web": [pid for name, pid in named.items() if name.startswith("web ") and pid],
            "worker": named.get("worker"),
            "beat": named.get("beat"),
            **({"ner": named["ner"]} if "ner" in named else {}),
            **self._servers.pids,
        }
        services = Services(
            self._config.base_url, self._endpoints.database_url, self._endpoints.redis_url, pids
        )
        DataFolder(self._config.data).write_services(services)


def _run(config: Config, environ: Mapping[str, str], interruption: "Interruption") -> None:
    with listen(config.host, config.port) as listener, Servers() as servers:
        endpoints = servers.start(config)
        surroundings = dict(environ) | {
            "GATEHOUSE_DATA": str(config.data),
            "HOST": config.host,
            "PORT": str(config.port),
            "PYTHONUNBUFFERED": "1",
        }
        endpoints.export(surroundings)
        surroundings |= shared_metrics(config)
        front = Front(config, endpoints, servers, _prepare(config, surroundings))
        supervisor = Supervisor(
            parts_of(config, listener.fileno()),
            environ=surroundings,
            cwd=ROOT,
            words=sys.stderr.buffer,
            changed=front.changed,
            stopping=listener.close,
        )
        with stop_requests() as requests:
            interruption.check()
            supervisor.run(requests, front.tick)


def shared_metrics(config: Config) -> dict[str, str]:
    """Give several web processes one place for their metrics, so that each answers for all."""
    if config.web_workers == 1:
        return {}
    place = config.data / "run" / "metrics"
    shutil.rmtree(place, ignore_errors=True)  # what processes of an earlier run counted
    place.mkdir(parents=True)
    return {"PROMETHEUS_MULTIPROC_DIR": str(place)}


def _prepare(config: Config, environ: Mapping[str, str]) -> Prepared:
    """Migrate and seed in a process of its own."""
    argv = [sys.executable, str(ROOT / "manage.py"), "up", "--prepare"]
    launch = Launch(end=signal.SIGTERM, environ=environ, cwd=ROOT, stdout=subprocess.PIPE)
    process = child.spawn(argv, launch)
    try:
        output, _ = process.communicate()
    finally:
        child.stop(process, [(signal.SIGTERM, PREPARE_GRACE_S)])
    if process.returncode != 0:
        raise GaveUpError("The database could not be prepared; the reason is above.")
    return Prepared(**json.loads(output))


class Interruption:
    """Notes that somebody asked us to stop while we start: the exception alone can get lost, since
    Python swallows what is raised inside a finalizer."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, number: int, frame: object) -> None:
        """Handle a signal."""
        self._asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was asked for, however long ago."""
        if self._asked:
            raise KeyboardInterrupt


@contextlib.contextmanager
def _interruptible() -> Iterator[Interruption]:
    """Let SIGTERM and SIGHUP unwind like Ctrl-C does, so that a start is undone in order."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    interruption = Interruption()
    before = {number: signal.signal(number, interruption) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
