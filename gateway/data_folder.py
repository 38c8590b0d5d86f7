"""The folder that holds what one installation keeps: secrets, servers, logs, and who runs them."""

import contextlib
import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

POLL_S = 0.05


class FolderBusyError(Exception):
    """Another process holds the folder. `owner` is its process id, or None where unknown."""

    def __init__(self, folder: Path, owner: int | None) -> None:
        self.owner = owner
        who = "another process" if owner is None else f"process {owner}"
        super().__init__(
            f"The data folder {folder} is in use by {who}. "
            "Stop that one first, or set GATEHOUSE_DATA to another folder."
        )


@dataclass(frozen=True, slots=True)
class Services:
    """What a running `up` tells others. `pids` maps a part to its process id, `web` to a list."""

    base_url: str
    database_url: str
    redis_url: str
    pids: Mapping[str, int | list[int] | None]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths below `GATEHOUSE_DATA`. `path` is absolute."""

    path: Path

    @property
    def secrets(self) -> Path:
        """One file per generated secret."""
        return self.path / "secrets"

    @property
    def run(self) -> Path:
        """Locks, and who runs at the moment."""
        return self.path / "run"

    @property
    def exports(self) -> Path:
        """Evidence that somebody asked for as files."""
        return self.path / "exports"

    @property
    def log(self) -> Path:
        """What the embedded servers wrote."""
        return self.path / "log"

    @property
    def services(self) -> Path:
        """What a running `up` tells others about itself."""
        return self.run / "services.json"

    def create(self) -> None:
        """Create what is missing. Others may pass through the top folder, and list nothing."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        for private in (self.secrets, self.run, self.log):
            private.mkdir(mode=0o700, exist_ok=True)

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """Return the stored secret of that name; the first process to ask makes it."""
        self.create()
        target = self.secrets / name
        if not target.exists():
            with _written(self.secrets, make()) as draft, contextlib.suppress(FileExistsError):
                # A link, unlike a rename, never replaces what another process has just stored.
                os.link(draft, target)
                _sync(self.secrets)
        return target.read_text(encoding="ascii").strip()

    def write_services(self, services: Services) -> None:
        """Replace services.json in one step."""
        with _written(self.run, json.dumps(asdict(services), indent=1) + "\n") as draft:
            draft.rename(self.services)

    def read_services(self) -> Services | None:
        """Return services.json, or None where no `up` has written one."""
        try:
            return Services(**json.loads(self.services.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the folder for this process alone. Raises FolderBusyError."""
        self.create()
        with _lock(self.run / "owner.lock") as lock:
            if not _acquire(lock, patience_s=0):
                raise FolderBusyError(self.path, _named_in(lock))
            self.services.unlink(missing_ok=True)  # of an owner that was killed
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            try:
                yield
            finally:
                self.services.unlink(missing_ok=True)

    @contextlib.contextmanager
    def server_lock(self, *, patience_s: float) -> Iterator[int]:
        """Hold the lock that every server inherits, once those of a former owner have ended.

        It is the kernel that releases it, when the last holder of the descriptor is gone: however
        the former owner died, no second server ever opens the same files.
        """
        with _lock(self.run / "servers.lock") as lock:
            if not _acquire(lock, patience_s=patience_s):
                raise FolderBusyError(self.path, None)
            yield lock


def new_password() -> str:
    """Return a password of 256 random bits that needs no quoting anywhere."""
    return secrets.token_hex(32)


def _sync(folder: Path) -> None:
    """Make new names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _written(folder: Path, text: str) -> Iterator[Path]:
    """A complete, synced, private file in `folder`, gone afterwards unless renamed."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".draft-")
    draft = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, *, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)
        else:
            return True


def _named_in(lock: int) -> int | None:
    text = os.pread(lock, 20, 0)
    return int(text) if text.isdigit() else None
