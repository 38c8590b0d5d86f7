"""Content codings of HTTP bodies: gzip, br and zstd, read within bounds and written where it pays.

A few bytes can unfold to gigabytes, so a body is unfolded piece by piece, and no further than the
limit for one that came plain.
"""

import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

CODINGS = ("zstd", "br", "gzip")
"""What is read and written, best first."""

MOST_BLOCKS = 1024  # bytes of zstd: each block of a few can unfold to 128 KiB
WORTHWHILE_BYTES = 8 * 1024
_GZIP_WINDOW = 31
_WINDOW_BYTES = 8 * 1024 * 1024
_BROTLI_QUALITY, _GZIP_LEVEL, _ZSTD_LEVEL = 1, 1, 1


class BadCoding(ValueError):
    """A body is not what its content coding says."""


class UnfoldsTooFar(ValueError):
    """A body unfolds to more than the limit."""


def decode(coding: str, body: bytes, most: int) -> bytes:
    """Return the body behind a coding of `CODINGS`, of at most `most` bytes.

    Raises BadCoding for one that is broken, cut short or followed by anything; UnfoldsTooFar.
    """
    parts: list[bytes] = []
    size = 0
    try:
        for part in _UNFOLDERS[coding](body, most):
            parts.append(part)
            size += len(part)
            if size > most:
                raise UnfoldsTooFar(f"the body unfolds to more than {most} bytes")
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise BadCoding(f"the body is not {coding}") from error
    return b"".join(parts)


def encode(body: bytes, accepted: bytes) -> tuple[bytes, bytes] | None:
    """Return a body in the best coding that an accept-encoding header takes, and the coding's name.

    None where none is, or the body is too short for it to pay.
    """
    if not accepted or len(body) < WORTHWHILE_BYTES:
        return None
    offered = _accepted(accepted)
    for coding in CODINGS:
        if coding in offered:
            return _FOLDERS[coding](body), coding.encode()
    return None


def _accepted(header: bytes) -> set[str]:
    """Return the codings that a client takes; those with a weight of nothing it does not."""
    found = set()
    for item in header.decode("latin-1").lower().split(","):
        coding, _, weight = item.partition(";")
        if weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            found.add(coding.strip())
    return found


def _gunzip(body: bytes, most: int) -> Iterator[bytes]:
    unfolding = zlib.decompressobj(_GZIP_WINDOW)
    yield unfolding.decompress(body, most + 1)
    _check_end(whole=unfolding.eof or bool(unfolding.unconsumed_tail), rest=unfolding.unused_data)


def _unbrotli(body: bytes, most: int) -> Iterator[bytes]:
    unfolding = brotli.Decompressor()
    yield unfolding.process(body, output_buffer_limit=most + 1)
    while not unfolding.is_finished() and not unfolding.can_accept_more_data():
        yield unfolding.process(b"", output_buffer_limit=most + 1)
    _check_end(whole=unfolding.is_finished(), rest=b"")


def _unzstd(body: bytes, most: int) -> Iterator[bytes]:
    unfolding = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES).decompressobj()
    for start in range(0, len(body), MOST_BLOCKS):
        _check_end(whole=not unfolding.eof, rest=b"")
        yield unfolding.decompress(body[start : start + MOST_BLOCKS])
    _check_end(whole=unfolding.eof, rest=unfolding.unused_data)


def _check_end(*, whole: bool, rest: bytes) -> None:
    if not whole or rest:
        raise BadCoding("the body is cut short, or goes on behind its end")


_UNFOLDERS = {"gzip": _gunzip, "br": _unbrotli, "zstd": _unzstd}
_FOLDERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: zlib.compress(body, _GZIP_LEVEL, wbits=_GZIP_WINDOW),
    "br": lambda body: brotli.compress(body, quality=_BROTLI_QUALITY),
    "zstd": lambda body: zstandard.compress(body, _ZSTD_LEVEL),
}
