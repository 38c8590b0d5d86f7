"""Where exports lie: a folder each, which is there whole or not at all.

An export is written beside its place, in a folder of the attempt's own, and renamed when whole.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from audit.exports.parts import PartFacts, Parts
from audit.exports.rows import Rows
from audit.exports.wanted import ExportWanted, as_json

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PARTIAL = ".partial-"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and where it waits to be put in its place."""

    folder: Path
    manifest: Mapping[str, Any]
    parts: tuple[PartFacts, ...]

    @property
    def rows(self) -> int:
        """How many rows the first format holds; each format holds the same."""
        first = self.parts[0]["format"]
        return sum(part["rows"] for part in self.parts if part["format"] == first)

    @property
    def size_bytes(self) -> int:
        """How large the parts are together."""
        return sum(part["bytes"] for part in self.parts)


class ExportFolder:
    """The folder of one export below the folder of all."""

    def __init__(self, exports: Path, export_id: uuid.UUID) -> None:
        self._exports, self._id = exports, export_id
        self.path = exports / str(export_id)

    def write(
        self,
        database_url: str,
        wanted: ExportWanted,
        about: Mapping[str, Any],
        progress: Callable[[int, int], None],
    ) -> Written:
        """Write all parts and the manifest of a tenant's rows; leave nothing where that fails.

        `about` goes into the manifest; it names the tenant and the attempt.
        """
        self._exports.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.forget_partial()
        folder = self._exports / f"{PARTIAL}{self._id}-{about['attempt']}"
        folder.mkdir(mode=0o700)
        try:
            parts = _write_parts(folder, database_url, wanted, about["tenant_id"], progress)
            manifest = {
                "format_version": FORMAT_VERSION, "export_id": str(self._id), **about,
                "filter": as_json(wanted), "parts": parts,
                "rows": {kind: _rows(parts, kind) for kind in wanted.kinds},
            }  # fmt: skip
            _write_whole(folder / MANIFEST, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Written(folder, manifest, tuple(parts))

    def place(self, written: Written) -> None:
        """Put what was written in its place; what an attempt without a claim left there goes."""
        shutil.rmtree(self.path, ignore_errors=True)
        written.folder.rename(self.path)
        _sync(self._exports)

    def forget_partial(self) -> None:
        """Delete what attempts have left unfinished."""
        for path in self._exports.glob(f"{PARTIAL}{self._id}-*"):
            shutil.rmtree(path, ignore_errors=True)

    def delete(self) -> None:
        """Delete the export's files."""
        self.forget_partial()
        if self.path.exists():
            shutil.rmtree(self.path)


def _write_parts(
    folder: Path,
    database_url: str,
    wanted: ExportWanted,
    tenant_id: str,
    progress: Callable[[int, int], None],
) -> list[PartFacts]:
    with psycopg.connect(
        database_url, application_name="gatehouse-export", options="-c timezone=UTC"
    ) as connection:
        rows, done = Rows(connection, uuid.UUID(tenant_id), wanted), 0
        total = rows.count()
        found: list[PartFacts] = []
        for kind in wanted.kinds:
            with _parts(folder, kind, wanted.formats) as of_kind:
                for looked_at, lines in rows.lines(kind):
                    for parts in of_kind:
                        parts.write(lines)
                    done += looked_at
                    progress(done, total)
            found += [part for parts in of_kind for part in parts.closed]
    return found


@contextlib.contextmanager
def _parts(folder: Path, kind: str, formats: tuple[str, ...]) -> Iterator[list[Parts]]:
    opened = [Parts(folder, kind, form) for form in formats]
    try:
        yield opened
        for parts in opened:
            parts.finish()
    finally:
        for parts in opened:
            parts.abandon()


def _rows(parts: list[PartFacts], kind: str) -> int:
    of_kind = [part for part in parts if part["kind"] == kind]
    return sum(part["rows"] for part in of_kind if part["format"] == of_kind[0]["format"])


def _write_whole(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
