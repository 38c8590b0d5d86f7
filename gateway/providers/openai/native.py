"""The OpenAI dialect on both sides: what was judged travels as it is. Pure."""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.openai import upstream
from gateway.providers.openai.stream import ChatStream, render_stream


class OpenAiNative:
    """One endpoint of the API, served by a provider of the same dialect."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model and the cap."""
        return upstream.outgoing(self._endpoint, judged, target)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer."""
        return upstream.parse_answer(self._endpoint, raw, viewed=viewed)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        return ChatStream(
            keep_usage=passing.keep_usage,
            collect=passing.collect,
            limit=passing.limit,
            silent=passing.silent,
        )

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as a stream."""
        return b"".join(render_stream(answer, keep_usage=keep_usage))
