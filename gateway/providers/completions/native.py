"""The completions API on both sides: what was judged travels as it is. Pure."""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers.completions import answers
from gateway.providers.completions.stream import CompletionStream, render
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.openai import upstream


class CompletionsNative:
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model and the cap."""
        return upstream.outgoing(Endpoint.COMPLETIONS, judged, target)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer."""
        return answers.read(raw, viewed=viewed)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        return CompletionStream(
            keep_usage=passing.keep_usage,
            collect=passing.collect,
            limit=passing.limit,
            silent=passing.silent,
        )

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as a stream."""
        return render(answer.body, keep_usage=keep_usage)
