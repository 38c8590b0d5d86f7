"""Fields taken out of answers, whole or event by event. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from gateway.exchange import Answer, Usage
from gateway.providers import sse
from gateway.providers.dialect import AnswerStream
from gateway.transformation import pointer
from gateway.transformation.pointer import Pointer

EVENT_MAX = 16 * 1024 * 1024
_DONE = b"[DONE]"


class Cuts(NamedTuple):
    """What is taken out: of a whole answer, and of each event of a stream.

    An event has a shape of its own: what is called /choices/*/message in a whole answer is
    /choices/*/delta there.
    """

    whole: tuple[Pointer, ...] = ()
    events: tuple[Pointer, ...] = ()

    def of_whole(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a whole answer without these fields."""
        return _without(body, self.whole)


NO_CUTS = Cuts()


def together(cuts: Iterable[Cuts]) -> Cuts:
    """Return all of these as one."""
    listed = tuple(cuts)
    return Cuts(
        tuple(at for one in listed for at in one.whole),
        tuple(at for one in listed for at in one.events),
    )


class EventCutter:
    """Takes fields out of the events of one stream, whatever the seams between its bytes."""

    __slots__ = ("_parser", "_pointers")

    def __init__(self, pointers: tuple[Pointer, ...]) -> None:
        self._parser = sse.Parser(EVENT_MAX)
        self._pointers = pointers

    def feed(self, data: bytes) -> bytes:
        """Return the events that these bytes complete, without the fields."""
        return b"".join(map(self._cut, self._parser.feed(data)))

    def close(self) -> bytes:
        """Return what the end of the bytes left open."""
        event = self._parser.close()
        return b"" if event is None else self._cut(event)

    def _cut(self, event: sse.Event) -> bytes:
        if event.data is None or event.data == _DONE:
            return event.raw
        try:
            body = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            return b""  # nobody can tell what stands in it
        if not isinstance(body, dict):
            return b""
        cut = _without(body, self._pointers)
        return event.raw if cut is body else sse.encode(orjson.dumps(cut), event.name)


class CutStream:
    """A provider's stream whose events reach the client without some fields.

    What is gathered is whole: it is inspected before anything is taken out.
    """

    __slots__ = ("_cutter", "_stream")

    def __init__(self, stream: AnswerStream, pointers: tuple[Pointer, ...]) -> None:
        self._stream = stream
        self._cutter = EventCutter(pointers)

    @property
    def done(self) -> bool:
        """Whether the provider said that it said all."""
        return self._stream.done

    @property
    def failed(self) -> str | None:
        """What went wrong."""
        return self._stream.failed

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far."""
        return self._stream.usage

    @property
    def finish(self) -> str:
        """The reason that tells most of those told so far, or ""."""
        return self._stream.finish

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return the whole events for the client."""
        data = self._stream.feed(chunk)
        return self._cutter.feed(data) if data else data

    def close(self) -> bytes:
        """Return what the end of the bytes left open."""
        return self._cutter.feed(self._stream.close()) + self._cutter.close()

    def assemble(self) -> Answer:
        """Return the gathered answer, with all its fields."""
        return self._stream.assemble()


def _without(body: dict[str, Any], pointers: tuple[Pointer, ...]) -> dict[str, Any]:
    for at in pointers:
        body = pointer.without(body, at)
    return body
