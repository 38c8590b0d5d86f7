"""A provider's answer on its way to be kept, and one that was kept on its way to be read again."""

from collections.abc import Mapping

from gateway.proxy.forward import UpstreamResponse
from gateway.proxy.kept import Kept

PIECE_BYTES = 32 * 1024


class Recording:
    """An answer that is read as ever, and remembered up to `most` bytes."""

    def __init__(self, response: UpstreamResponse, most: int) -> None:
        self._response = response
        self._most = most
        self._parts: list[bytes] | None = []
        self._size = 0

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self._response.status

    @property
    def content_type(self) -> str:
        """What the provider says its bytes are."""
        return self._response.content_type

    @property
    def headers(self) -> Mapping[str, str]:
        """What the provider says beside its answer."""
        return self._response.headers

    @property
    def raw(self) -> bytes | None:
        """What was read; None where that was too much."""
        return None if self._parts is None else b"".join(self._parts)

    async def read(self) -> bytes:
        """Return the whole body."""
        whole = await self._response.read()
        self._remember(whole)
        return whole

    async def more(self) -> bytes:
        """Return what is here of the body; b"" behind its end."""
        data = await self._response.more()
        self._remember(data)
        return data

    def _remember(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most:
            self._parts = None
        elif self._parts is not None:
            self._parts.append(data)


class Replayed:
    """A kept answer, read as from its provider: a stream comes as one, as fast as it is read."""

    def __init__(self, kept: Kept) -> None:
        self._raw = kept.raw
        self._at = 0
        self.status = kept.status
        self.content_type = kept.content_type
        self.headers: Mapping[str, str] = kept.told

    async def read(self) -> bytes:
        """Return the whole body."""
        return self._raw

    async def more(self) -> bytes:
        """Return the next piece; b"" behind the last."""
        piece = self._raw[self._at : self._at + PIECE_BYTES]
        self._at += len(piece)
        return piece
