"""Bodies in each content coding, as providers fold them."""

import gzip
import zlib

import brotli
import zstandard


def raw_deflate(body):
    folding = zlib.compressobj(wbits=-15)
    return folding.compress(body) + folding.flush()


FOLDED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate raw": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}
"""Each by its header; what stands behind a space tells two apart that have the same."""


def header(name):
    """Return what a content-encoding header says of one of them."""
    return name.partition(" ")[0]
