"""A stream that is asked of a provider as a whole answer, judged as one, and only then told in the
events of the API. Pure."""

from collections.abc import Callable

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers import sse
from gateway.providers.dialect import Passing
from gateway.providers.fault import BadAnswer, TooLarge

Read = Callable[[bytes, Passing], Answer]
Tell = Callable[[Body], list[Body]]


class WholeStream:
    """Gathers a whole answer; where no rule will look at it, its end brings the events."""

    def __init__(self, read: Read, tell: Tell, passing: Passing) -> None:
        self._read = read
        self._tell = tell
        self._passing = passing
        self._raw = bytearray()
        self._answer: Answer | None = None
        self.failed: str | None = None

    @property
    def done(self) -> bool:
        """Whether a whole answer came."""
        return self._answer is not None

    @property
    def usage(self) -> Usage | None:
        """What the provider told."""
        return None if self._answer is None else self._answer.usage

    @property
    def finish(self) -> str:
        """There is none: nothing is cut off."""
        return ""

    def feed(self, chunk: bytes) -> bytes:
        """Keep a chunk; TooLarge where the answer passes the limit."""
        self._raw += chunk
        if len(self._raw) > self._passing.limit:
            raise TooLarge(f"the provider's answer is longer than {self._passing.limit} bytes")
        return b""

    def close(self) -> bytes:
        """Read the answer; return its events where nobody else does."""
        try:
            self._answer = self._read(bytes(self._raw), self._passing)
        except BadAnswer as fault:
            self.failed = str(fault)
        self._raw.clear()
        if self._answer is None or self._passing.collect:
            return b""
        return written(self._tell(self._answer.body))

    def assemble(self) -> Answer:
        """Return the whole answer."""
        if self._answer is None:
            raise BadAnswer(self.failed or "the provider's answer is none")
        return self._answer


def written(events: list[Body]) -> bytes:
    """Return events, each named by its type."""
    return b"".join(sse.encode(orjson.dumps(one), one["type"].encode()) for one in events)
