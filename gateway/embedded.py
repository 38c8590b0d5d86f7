"""The servers that we start ourselves where none is configured: PostgreSQL, then Redis.

`Servers` owns a data folder for one process. A management command uses `join_or_start`, which
finds the servers of a running `up` or starts them for the command's own duration.
"""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gateway.child import ServerError
from gateway.config import Config, load
from gateway.data_folder import DataFolder, FolderBusyError, Services
from gateway.deaths import DEATHS_MAX, WINDOW_S, History
from gateway.local_postgres import LocalPostgres, owner_url
from gateway.local_redis import LocalRedis

# A server of a killed owner first writes down what it holds.
FORMER_PATIENCE_S = 90.0
COMMAND_PATIENCE_S = 120.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the servers answer: PostgreSQL as two roles, and Redis."""

    database_url: str
    database_owner_url: str
    redis_url: str

    def export(self, environ: MutableMapping[str, str]) -> None:
        """Tell settings, and every child, through the environment."""
        environ["DATABASE_URL"] = self.database_url
        environ["DATABASE_OWNER_URL"] = self.database_owner_url
        environ["REDIS_URL"] = self.redis_url


class Servers:
    """Our own servers, for what the configuration leaves open. Leaving the context stops them.

    Start them from the main thread (see `child.spawn`). `durable=False` is for tests alone.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self._durable = durable
        self._held = contextlib.ExitStack()
        self._lock = -1
        self._deaths: defaultdict[str, History] = defaultdict(History)
        self._postgres: LocalPostgres | None = None
        self._redis: LocalRedis | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int | None]:
        """Process ids of `postgres` and `redis`; None for a server that is not ours."""
        return {
            "postgres": self._postgres.pid if self._postgres else None,
            "redis": self._redis.pid if self._redis else None,
        }

    def start(self, config: Config) -> Endpoints:
        """Claim the data folder and start what has no URL.

        Raises FolderBusyError while another process owns the folder, ServerError if a server
        cannot run.
        """
        folder = DataFolder(config.data)
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            self._held.enter_context(folder.claim())
            lock = self._held.enter_context(folder.server_lock(patience_s=FORMER_PATIENCE_S))
            self._lock = lock
            app, owner = config.database_url, config.database_owner_url
            if not app:
                self._postgres = LocalPostgres(folder, durable=self._durable)
                urls = self._postgres.start(lock)
                app, owner = urls.app, urls.owner
            redis = config.redis_url
            if not redis:
                self._redis = LocalRedis(folder)
                redis = self._redis.start(lock)
            undo.pop_all()
        return Endpoints(app, owner, redis)

    def revive(self, now: float) -> list[str]:
        """Start again, where it was, what has died, and return the names.

        `now` is any steady clock's. Raises ServerError for one that dies too often.
        """
        revived = []
        for server in (self._postgres, self._redis):
            if server is not None and server.has_died:
                if self._deaths[server.name].note(now, now) is None:
                    raise ServerError(
                        f"{server.name} ended {DEATHS_MAX} times within {WINDOW_S:g} s. It wrote:\n"
                        + server.last_words()
                    )
                server.restart(self._lock)
                revived.append(server.name)
        return revived

    def stop(self) -> None:
        """Stop Redis, then PostgreSQL, and let the folder go."""
        for server in (self._redis, self._postgres):
            if server is not None:
                server.stop()
        self._held.close()


@contextlib.contextmanager
def join_or_start(environ: MutableMapping[str, str]) -> Iterator[None]:
    """Point `environ` at servers while the context lasts: configured, joined, or started.

    Raises ServerError or FolderBusyError.
    """
    config = load(environ)
    if config.database_url and config.redis_url:
        yield
        return
    with Servers() as servers:
        _joined_or_started(config, servers).export(environ)
        yield


def _joined_or_started(config: Config, servers: Servers) -> Endpoints:
    """Return the endpoints of a running `up`, else start; wait while another command runs."""
    deadline = time.monotonic() + COMMAND_PATIENCE_S
    while True:
        try:
            return servers.start(config)
        except FolderBusyError as busy:
            services = DataFolder(config.data).read_services()
            if services is not None and services.pids["up"] == busy.owner:
                return _joined(config, services)
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def _joined(config: Config, services: Services) -> Endpoints:
    app, owner = config.database_url, config.database_owner_url
    if not app:
        app = owner = services.database_url
        if services.pids["postgres"] is not None:
            owner = owner_url(DataFolder(config.data), app)
    return Endpoints(app, owner, config.redis_url or services.redis_url)
