"""Vectors of the simulated provider: the same text, the same direction. Pure."""

import base64
import hashlib
import math
import struct

DIMENSIONS = 256
_DIMENSIONS_MAX = 4096
_NUMBERS_MAX = 1 << 18


class TooMany(ValueError):
    """More numbers than a simulation computes, or a length that no vector has."""


def vectors(
    given: str | list[object], dimensions: object, encoding: object
) -> list[str] | list[list[float]]:
    """Return a unit vector for each text (or list of token numbers), in numbers or in base64."""
    length = DIMENSIONS if dimensions is None else dimensions
    if not isinstance(length, int) or not 1 <= length <= _DIMENSIONS_MAX:
        raise TooMany(f"dimensions must be a whole number from 1 to {_DIMENSIONS_MAX}")
    several = isinstance(given, list) and not isinstance(given[0], int)
    texts = [str(one) for one in given] if several else [str(given)]
    if len(texts) * length > _NUMBERS_MAX:
        raise TooMany(f"a simulation computes at most {_NUMBERS_MAX} numbers")
    packed = [_packed(text, length) for text in texts]
    if encoding == "base64":
        return [base64.b64encode(vector).decode() for vector in packed]
    return [list(struct.unpack(f"<{length}f", vector)) for vector in packed]


def _packed(text: str, length: int) -> bytes:
    """Return the numbers as they travel in base64: little-endian, four bytes each."""
    noise = struct.unpack(f"<{length}i", hashlib.shake_256(text.encode()).digest(4 * length))
    norm = math.sqrt(sum(value * value for value in noise)) or 1.0
    return struct.pack(f"<{length}f", *(value / norm for value in noise))
