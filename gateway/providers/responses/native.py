"""The responses API on both sides: what was judged travels as it is. Pure."""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.fault import BadAnswer
from gateway.providers.openai.upstream import error_message
from gateway.providers.responses import answers, events, inside
from gateway.providers.responses.answering import TRANSLATED
from gateway.providers.responses.stream import ResponseStream
from gateway.providers.unstreamed import object_of


class ResponsesNative:
    """Served by a provider of the same API. One that is `discreet` does not say the instructions of
    the request again."""

    def __init__(self, *, discreet: bool = False) -> None:
        self._discreet = discreet

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model and the cap; nothing is stored."""
        sent = {
            **judged,
            "model": target.model,
            "max_output_tokens": target.cap,
            "store": False,
        }
        if any(_is_foreign(item) for item in inside.items(judged)):
            sent["input"] = [item for item in judged["input"] if not _is_foreign(item)]
        sent.pop("stream", None)
        options = sent.pop("stream_options", None)
        if target.stream:
            sent["stream"] = True
            sent |= {"stream_options": options} if options else {}
        return Outgoing(Endpoint.RESPONSES, sent)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole response; BadAnswer for one that is not over, or that failed."""
        body = object_of(raw)
        if body.get("status") not in ("completed", "incomplete"):
            raise BadAnswer(error_message(raw) or "the provider's answer is not complete")
        if self._discreet and body.get("instructions") is not None:
            body["instructions"] = None
        return answers.answer(body, answers.usage_of(body), viewed=viewed)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        return ResponseStream(
            collect=passing.collect,
            limit=passing.limit,
            silent=passing.silent,
            discreet=self._discreet,
        )

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole response as a stream."""
        return events.render(answer.body)


def _is_foreign(item: Body) -> bool:
    """Tell whether an item is what a model of another dialect thought: sealed, it is of no use."""
    return inside.kind(item) == "reasoning" and str(item.get("id")).startswith(TRANSLATED)
