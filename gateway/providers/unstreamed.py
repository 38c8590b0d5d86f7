"""What is common to endpoints that never answer with a stream: their parsers let none be asked for.
Pure."""

import orjson

from gateway.exchange import Answer, Body
from gateway.providers.dialect import AnswerStream, Passing
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.upstream import error_message


class Unstreamed:
    """An interpreter without streams."""

    def stream(self, passing: Passing) -> AnswerStream:
        """There is none."""
        raise BadAnswer("this endpoint does not stream")

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """There is none."""
        raise BadAnswer("this endpoint does not stream")


def object_of(raw: bytes) -> Body:
    """Return the JSON object of a provider's answer; BadAnswer for any other, or for an error."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("the provider's answer is not JSON") from error
    if not isinstance(body, dict) or body.get("error"):
        raise BadAnswer(error_message(raw) or "the provider's answer is not an object")
    return body
