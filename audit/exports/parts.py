"""The files of an export: compressed parts of bounded length, each with its digest."""

import csv
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypedDict

from audit.exports.cells import COLUMNS, Table

PART_ROWS = 500_000
GZIP = 16
"""Added to the window's size it asks zlib for a gzip header."""

LEVEL = 1
"""Of compression: the next ones take twice as long to save a tenth."""


class PartFacts(TypedDict):
    """What the manifest says of a part; `rows` leaves the line of names of a CSV out."""

    name: str
    kind: str
    format: str
    rows: int
    bytes: int
    sha256: str


class Parts:
    """The parts of one kind in one format; a full one is closed and followed by the next.

    What an empty export consists of is one part without rows.
    """

    def __init__(self, folder: Path, kind: str, form: str, most: int = PART_ROWS) -> None:
        self._folder, self._kind, self._form, self._most = folder, kind, form, most
        self._encode: Callable[[Sequence[str]], bytes] = _ENCODERS[form](kind)
        self._part: _Part | None = None
        self.closed: list[PartFacts] = []

    def write(self, lines: Sequence[str]) -> None:
        """Append rows, given as JSON."""
        while lines:
            part = self._part = self._part or self._next()
            fitting, lines = lines[: self._most - part.rows], lines[self._most - part.rows :]
            part.write(self._encode(fitting), len(fitting))
            if part.rows == self._most:
                self._close()

    def finish(self) -> None:
        """Close the last part, and have all of it on the disk."""
        if self._part is None and not self.closed:
            self._part = self._next()
        self._close()

    def abandon(self) -> None:
        """Let go of the open file; what it holds is of no use."""
        if self._part is not None:
            self._part.abandon()

    def _next(self) -> "_Part":
        name = f"{self._kind}-{len(self.closed) + 1:05}.{self._form}.gz"
        part = _Part(self._folder / name)
        if self._form == "csv":
            part.write(_table([COLUMNS[self._kind]]), 0)
        return part

    def _close(self) -> None:
        if self._part is not None:
            part = self._part
            size, digest = part.close()
            self._part = None
            self.closed.append(
                PartFacts(
                    name=part.path.name, kind=self._kind, format=self._form, rows=part.rows,
                    bytes=size, sha256=digest,
                )
            )  # fmt: skip


class _Part:
    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0
        # Not buffered: a disk that is full is met by the write, not by the close.
        self._file = path.open("xb", buffering=0)
        # The header holds neither name nor time: equal rows make equal files.
        self._compressor = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | GZIP)
        self._digest, self._length = hashlib.sha256(), 0

    def write(self, data: bytes, rows: int) -> None:
        self._append(self._compressor.compress(data))
        self.rows += rows

    def close(self) -> tuple[int, str]:
        self._append(self._compressor.flush())
        os.fsync(self._file.fileno())
        self._file.close()
        return self._length, self._digest.hexdigest()

    def abandon(self) -> None:
        self._file.close()

    def _append(self, data: bytes) -> None:
        self._digest.update(data)
        self._length += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


def _ndjson(_kind: str) -> Callable[[Sequence[str]], bytes]:
    def encode(lines: Sequence[str]) -> bytes:
        # Line ends in JSON are white space, never part of a text.
        return "".join([line.replace("\n", " ") + "\n" for line in lines]).encode()

    return encode


def _csv(kind: str) -> Callable[[Sequence[str]], bytes]:
    table = Table(kind)

    def encode(lines: Sequence[str]) -> bytes:
        return _table(table.rows(lines))

    return encode


def _table(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


_ENCODERS = {"ndjson": _ndjson, "csv": _csv}
