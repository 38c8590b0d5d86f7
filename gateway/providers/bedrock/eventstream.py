"""Frames of `application/vnd.amazon.eventstream`: bytes split anywhere in, messages out. Pure.

A frame is its length, the length of its headers, a checksum of these two, the headers, the payload,
and a checksum of all before: every number big-endian, the checksums those of CRC-32.
"""

import struct
import zlib
from typing import NamedTuple

from gateway.providers.fault import BadAnswer, TooLarge

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_LEAST = _PRELUDE.size + _CRC.size
_BOOLEANS = {0: "true", 1: "false"}
_SIZES = {2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _STRING = 6, 7


class Message(NamedTuple):
    """One message: its headers that are strings, and its payload."""

    headers: dict[str, str]
    payload: bytes


class Parser:
    """Turns the bytes of one stream into messages; holds at most `limit` bytes of an open one.

    BadAnswer for bytes that are no such stream: from then on nothing can be read.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether the bytes so far end with a message."""
        return not self._buffer

    def feed(self, chunk: bytes) -> list[Message]:
        """Return the messages that this chunk completes; TooLarge where one passes the limit."""
        buffer = self._buffer
        buffer += chunk
        messages, begin = [], 0
        while len(buffer) - begin >= _PRELUDE.size:
            size = self._size(bytes(buffer[begin : begin + _PRELUDE.size]))
            if len(buffer) - begin < size:
                break
            messages.append(_message(bytes(buffer[begin : begin + size])))
            begin += size
        del buffer[:begin]
        return messages

    def _size(self, prelude: bytes) -> int:
        """Return the length of a frame by its first bytes, whose checksum is right."""
        size, headers, crc = _PRELUDE.unpack(prelude)
        if zlib.crc32(prelude[: -_CRC.size]) != crc:
            raise BadAnswer("a frame of the provider's stream begins with a wrong checksum")
        if size < _LEAST + headers:
            raise BadAnswer("a frame of the provider's stream is shorter than its headers")
        if size > self._limit:
            raise TooLarge(f"one event is longer than {self._limit} bytes")
        return int(size)


def _message(frame: bytes) -> Message:
    (crc,) = _CRC.unpack(frame[-_CRC.size :])
    if zlib.crc32(frame[: -_CRC.size]) != crc:
        raise BadAnswer("a frame of the provider's stream has a wrong checksum")
    _, size, _ = _PRELUDE.unpack_from(frame)
    begin = _PRELUDE.size + size
    return Message(_headers(frame[_PRELUDE.size : begin]), frame[begin : -_CRC.size])


def _headers(data: bytes) -> dict[str, str]:
    """Return the headers that are strings; those of other types are checked and passed by."""
    found: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            end = position + 1 + data[position]
            name, kind = data[position + 1 : end].decode(), data[end]
            position = end + 1
            if kind in _BOOLEANS:
                continue
            if kind in (_BYTES, _STRING):
                (size,) = struct.unpack_from(">H", data, position)
                position += 2
            else:
                size = _SIZES[kind]
            value = data[position : position + size]
            position += size
            if position > len(data):
                raise BadAnswer("a header of the provider's stream is longer than its frame")
            if kind == _STRING:
                found[name] = value.decode()
    except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
        raise BadAnswer("a header of the provider's stream cannot be read") from error
    return found
