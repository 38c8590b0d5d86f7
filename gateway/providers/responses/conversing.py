"""The client's side of the responses API, for providers of another dialect. Pure."""

from gateway.exchange import Answer, Body, Usage
from gateway.providers.conversation import Conversation
from gateway.providers.dialect import Source, Writer
from gateway.providers.reply import Reply
from gateway.providers.responses import answering, answers, asking, writing


class ResponsesClient:
    """Requests are read as conversations, replies are written as responses."""

    names = asking.NAMES

    def conversation(self, body: Body) -> Conversation:
        """Return what a parsed body asks for."""
        return asking.conversation(body)

    def body(self, reply: Reply, source: Source) -> Body:
        """Return a reply as a response."""
        return answering.response(reply, source)

    def answer(self, body: Body, usage: Usage | None, *, viewed: bool) -> Answer:
        """Return a response with what policy needs lifted out."""
        return answers.answer(body, usage, viewed=viewed)

    def reply(self, body: Body) -> Reply:
        """Return what a response says."""
        return answers.response_reply(body)

    def writer(self, source: Source, *, keep_usage: bool) -> Writer:
        """Return the writer of one stream."""
        return writing.ResponseWriter(source)
