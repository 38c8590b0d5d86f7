"""Frames on asyncio's streams."""

import asyncio

from gateway.ner.frames import HEAD_BYTES, FrameError, size_of


async def read(reader: asyncio.StreamReader) -> bytes | None:
    """Return the body of the next frame; None where the other side ended between two.

    Raises FrameError for what is none, and for one that breaks off.
    """
    try:
        head = await reader.readexactly(HEAD_BYTES)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise FrameError("a frame breaks off") from None
        return None
    try:
        return await reader.readexactly(size_of(head))
    except asyncio.IncompleteReadError:
        raise FrameError("a frame breaks off") from None
