"""A response's stream between a client and a provider of this API. Pure."""

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers import document, sse
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.openai.upstream import error_text
from gateway.providers.responses import answers

_UNREADABLE = "the provider's stream holds what is no event of a response"
_OVER = ("response.completed", "response.incomplete")


class ResponseStream:
    """One stream of a provider.

    Passing (`collect` false), `feed` returns the provider's own events; gathering, it returns
    nothing, and `assemble` returns the response that the last event holds whole. `limit` bounds the
    bytes of one event and, gathering, of the whole stream (TooLarge). After an error nothing more
    passes. With `silent` false a stream that is gathered passes too. With `discreet`, the
    instructions of the request are not said again.
    """

    def __init__(
        self, *, collect: bool, limit: int, silent: bool | None = None, discreet: bool = False
    ) -> None:
        self.done = False
        self.failed: str | None = None
        self._collect = collect
        self._silent = collect if silent is None else silent
        self._discreet = discreet
        self._limit = limit
        self._parser = sse.Parser(limit)
        self._bytes = 0
        self._response: Body | None = None

    @property
    def usage(self) -> Usage | None:
        """What the provider has told, which it does at the end; None while it is unknown."""
        return None if self._response is None else answers.usage_of(self._response)

    @property
    def finish(self) -> str:
        """Why the response ended, or ""."""
        return "" if self._response is None else answers.finish(self._response)

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return those that go to the client."""
        self._bytes += len(chunk)
        if self._collect and self._bytes > self._limit:
            raise TooLarge(f"the provider's stream is longer than {self._limit} bytes")
        return b"".join([self._pass(event) for event in self._parser.feed(chunk)])

    def close(self) -> bytes:
        """Read what the end of the bytes left open, where it is whole but for its blank line."""
        event = self._parser.close()
        if event is None or event.data is None or _object(event.data) is None:
            return b""
        return self._pass(sse.Event(sse.encode(event.data, event.name), event.data, event.name))

    def assemble(self) -> Answer:
        """Return the whole response; BadAnswer where the provider told none."""
        if self._response is None:
            raise BadAnswer("the provider's stream holds no answer")
        return answers.answer(self._response, self.usage)

    def _pass(self, event: sse.Event) -> bytes:
        over, raw = self.done, event.raw
        if event.data is not None and not over and self.failed is None:
            told = _object(event.data)
            if self._discreet and told is not None and _keep_quiet(told):
                raw = sse.encode(orjson.dumps(told), event.name)
            self._read(event.data, told)
        if over or self._silent or self.failed is not None:
            return b""
        return raw

    def _read(self, data: bytes, told: Body | None) -> None:
        """Take in what an event tells. Some servers end with the mark of the chat API."""
        if data == b"[DONE]":
            return
        if told is None or not isinstance(told.get("type"), str):
            self.failed = _UNREADABLE if told is None else error_text(told) or _UNREADABLE
        elif told["type"] == "error" or told["type"] == "response.failed":
            self.failed = _reason(told)
        elif told["type"] in _OVER:
            self._end(told.get("response"))

    def _end(self, response: object) -> None:
        if not isinstance(response, dict):
            self.failed = _UNREADABLE
            return
        try:
            answers.output(response)
        except BadAnswer as error:
            self.failed = str(error)
            return
        self._response = response
        self.done = True


def _keep_quiet(told: Body) -> bool:
    """Take the instructions out of what an event tells; False where there are none."""
    response = told.get("response")
    if not isinstance(response, dict) or response.get("instructions") is None:
        return False
    response["instructions"] = None
    return True


def _reason(told: Body) -> str:
    response = told.get("response")
    error = response.get("error") if isinstance(response, dict) else told
    return error_text(error) if error else "the provider told of a failure without a word"


def _object(data: bytes) -> Body | None:
    try:
        parsed = document.load_last(data)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
