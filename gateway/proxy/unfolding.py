"""Bodies of providers in a content coding that nobody asked for: unfolded as they come, bounded.

What is unfolded at once is small, whatever it unfolds to, and the whole is at most as long as an
answer that came plain may be: a few bytes can neither fill the memory nor feed a client for ever.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import zstandard

from gateway.proxy.coding import BadCoding, UnfoldsTooFar

PIECE_BYTES = 64 * 1024
_FEW_BLOCKS = 128  # bytes of zstd: each block of a few can unfold to 128 KiB
_WINDOW_BYTES = 8 * 1024 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15
_HEAD_BYTES = 2


class _Member(Protocol):
    """One folded stream. A body of gzip or zstd may have several, one behind the other."""

    ended: bool
    rest: bytes

    def unfold(self, data: bytes) -> Iterator[bytes]:
        """Yield what more bytes unfold to; what is behind the end is the `rest`."""


class Unfolding:
    """Unfolds one body. BadCoding: it is not what its coding says; UnfoldsTooFar: it passes
    `most` bytes."""

    def __init__(self, coding: str, most: int) -> None:
        self.coding = coding
        self._make = _MEMBERS[coding]
        self._member = self._make()
        self._left = most

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk unfolds to."""
        data = chunk
        while data:
            if self._member.ended:
                if self.coding == "br":
                    raise self._bad()
                self._member = self._make()
            try:
                for piece in self._member.unfold(data):
                    yield from self._counted(piece)
            except (zlib.error, brotli.error, zstandard.ZstdError) as error:
                raise self._bad() from error
            data = self._member.rest

    def close(self) -> None:
        """Hold that the body came to its end."""
        if not self._member.ended:
            raise self._bad()

    def _counted(self, piece: bytes) -> Iterator[bytes]:
        self._left -= len(piece)
        if self._left < 0:
            raise UnfoldsTooFar("it is longer than an answer may be")
        if piece:
            yield piece

    def _bad(self) -> BadCoding:
        return BadCoding(f"it is not {self.coding}, or is cut short")


def unfolding(header: str, most: int) -> Unfolding | None:
    """Return what unfolds a body by its content-encoding header; None for one that is plain.

    BadCoding for a coding that nobody here knows, and for several.
    """
    coding = header.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in _MEMBERS:
        raise BadCoding("the coding is not known")
    return Unfolding(coding, most)


def beginning(header: str, raw: bytes, most: int) -> bytes:
    """Return as much as can be had of a body of which only the beginning may be here."""
    parts: list[bytes] = []
    try:
        folded = unfolding(header, most)
        if folded is None:
            return raw
        parts.extend(folded.feed(raw))
    except BadCoding:
        return b"".join(parts)
    except UnfoldsTooFar:
        return b""
    return b"".join(parts)


class _Deflated:
    """gzip, or deflate with the head that the standard wants, or without it as many write it."""

    def __init__(self, window: int) -> None:
        self.ended = False
        self.rest = b""
        self._head = b""
        self._window = window
        self._inner = None if window == _ZLIB else zlib.decompressobj(window)

    def unfold(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces."""
        self.rest = b""
        inner = self._inner
        if inner is None:
            data = self._head = self._head + data
            if len(data) < _HEAD_BYTES:
                return
            inner = self._inner = zlib.decompressobj(_ZLIB if _has_head(data) else _RAW)
        while True:
            piece = inner.decompress(data, PIECE_BYTES)
            yield piece
            data = inner.unconsumed_tail
            if inner.eof or (not data and len(piece) < PIECE_BYTES):
                break
        self.ended, self.rest = inner.eof, inner.unused_data


class _Brotli:
    """br: it has one member, and nothing behind it."""

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self._inner = brotli.Decompressor()

    def unfold(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces."""
        yield self._inner.process(data, output_buffer_limit=PIECE_BYTES)
        while not self._inner.is_finished() and not self._inner.can_accept_more_data():
            yield self._inner.process(b"", output_buffer_limit=PIECE_BYTES)
        self.ended = self._inner.is_finished()


class _Zstd:
    """zstd, a few bytes at a time: its pieces cannot be bounded otherwise."""

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES)
        self._inner = decompressor.decompressobj()

    def unfold(self, data: bytes) -> Iterator[bytes]:
        """Yield pieces."""
        self.rest = b""
        for start in range(0, len(data), _FEW_BLOCKS):
            yield self._inner.decompress(data[start : start + _FEW_BLOCKS])
            if self._inner.eof:
                self.ended = True
                self.rest = self._inner.unused_data + data[start + _FEW_BLOCKS :]
                return


def _has_head(data: bytes) -> bool:
    """Tell whether deflated bytes begin with a head of zlib."""
    return data[0] & 15 == zlib.DEFLATED and (data[0] << 8 | data[1]) % 31 == 0


_MEMBERS: dict[str, Callable[[], _Member]] = {
    "gzip": lambda: _Deflated(_GZIP),
    "x-gzip": lambda: _Deflated(_GZIP),
    "deflate": lambda: _Deflated(_ZLIB),
    "br": _Brotli,
    "zstd": _Zstd,
}
