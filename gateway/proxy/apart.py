"""Where work is done that grows with the length of what it reads."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from policies.detectors.scanner import INLINE_LIMIT

T = TypeVar("T")


async def apart(size: int, work: Callable[[], T]) -> T:
    """Do it at once, or off the loop that others use where what is read is long.

    `size` is that in characters.
    """
    if size <= INLINE_LIMIT:
        return work()
    return await asyncio.to_thread(work)
