"""The client's side of the messages API, for providers of another dialect. Pure."""

from gateway.exchange import Answer, Body, Usage
from gateway.providers.anthropic import answering, answers, asking
from gateway.providers.anthropic.speaking import message_reply
from gateway.providers.conversation import Conversation
from gateway.providers.dialect import Source, Writer
from gateway.providers.reply import Reply


class AnthropicClient:
    """Requests are read as conversations, replies are written as messages."""

    names = asking.NAMES

    def conversation(self, body: Body) -> Conversation:
        """Return what a parsed body asks for."""
        return asking.conversation(body)

    def body(self, reply: Reply, source: Source) -> Body:
        """Return a reply as a message."""
        return answering.message(reply)

    def answer(self, body: Body, usage: Usage | None, *, viewed: bool) -> Answer:
        """Return a message with what policy needs lifted out."""
        return answers.answer(body, usage, viewed=viewed)

    def reply(self, body: Body) -> Reply:
        """Return what a message says."""
        return message_reply(body)

    def writer(self, source: Source, *, keep_usage: bool) -> Writer:
        """Return the writer of one stream."""
        return answering.MessageWriter(source)
