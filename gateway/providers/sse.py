"""Server-sent events, by the specification: bytes split anywhere in, whole events out. Pure.

Lines end with LF, CRLF or CR; comments and unknown fields are skipped; several data lines are one
text; a byte order mark is dropped. Each event keeps the very bytes it came in, so that what nobody
changed can travel unchanged: the raw bytes of all events, then `rest`, are the stream.
"""

import re
from typing import NamedTuple

from gateway.providers.fault import TooLarge

_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n){2}")
_LONGEST_BLANK = 4
_CR = 0x0D


class Event(NamedTuple):
    """One event: its bytes with the blank line that ends it, its text, its type.

    `data` is None for a block that carries none, such as a comment that keeps a connection open.
    """

    raw: bytes
    data: bytes | None
    name: bytes = b""


class Parser:
    """Turns the bytes of one stream into events; holds at most `limit` bytes of an open event."""

    __slots__ = ("_bare", "_buffer", "_limit", "_scanned", "_started")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._scanned = 0
        self._bare = True
        self._started = False

    @property
    def rest(self) -> bytes:
        """The bytes that no blank line has ended yet."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that this chunk completes; TooLarge where one passes the limit.

        A CR at the very end waits for the next byte, which may be its LF.
        """
        if self._bare and b"\r" in chunk:
            self._bare = False
        buffer = self._buffer
        buffer += chunk
        if not self._started and not self._start():
            return []
        events: list[Event] = []
        begin, end = 0, self._boundary(self._scanned)
        while end >= 0:
            events.append(_event(bytes(buffer[begin:end])))
            begin, end = end, self._boundary(end)
        if begin:
            del buffer[:begin]
        if len(buffer) > self._limit:
            raise TooLarge(f"one event is longer than {self._limit} bytes")
        self._scanned = max(0, len(buffer) - _LONGEST_BLANK + 1)
        return events

    def close(self) -> Event | None:
        """Return what the end of the stream left open, as an event of its own, or None.

        The specification drops it; a provider that forgets its last blank line still said it.
        """
        raw = self.rest
        self._buffer.clear()
        self._scanned = 0
        return _event(raw) if raw else None

    def _start(self) -> bool:
        """Drop a byte order mark; tell whether enough bytes are there to know."""
        head = bytes(self._buffer[:3])
        if head != _BOM and _BOM.startswith(head):
            return False
        if head == _BOM:
            del self._buffer[:3]
        self._started = True
        return True

    def _boundary(self, begin: int) -> int:
        """Return where the next event ends, or -1."""
        buffer = self._buffer
        if self._bare:
            found = buffer.find(b"\n\n", begin)
            return found + 2 if found >= 0 else -1
        match = _BLANK_LINE.search(buffer, begin)
        if match is None or (match.end() == len(buffer) and buffer[-1] == _CR):
            return -1
        return match.end()


def encode(data: bytes, name: bytes = b"") -> bytes:
    """Return the bytes of one event."""
    head = b"event: " + name + b"\n" if name else b""
    return head + b"".join(b"data: " + line + b"\n" for line in data.split(b"\n")) + b"\n"


def _event(raw: bytes) -> Event:
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return Event(raw, raw[6:-2])
    lines: list[bytes] = []
    name = b""
    for line in raw.splitlines():
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value
    return Event(raw, b"\n".join(lines) if lines else None, name)
