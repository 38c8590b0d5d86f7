"""The client's side of the OpenAI chat API, for providers of another dialect. Pure."""

from gateway.exchange import Answer, Body, Usage
from gateway.providers.conversation import Conversation
from gateway.providers.dialect import Source, Writer
from gateway.providers.openai import answering, asking, upstream
from gateway.providers.reply import Reply


class OpenAiClient:
    """Chat requests are read as conversations, replies are written as chat answers."""

    names = asking.NAMES

    def conversation(self, body: Body) -> Conversation:
        """Return what a parsed body asks for."""
        return asking.conversation(body)

    def body(self, reply: Reply, source: Source) -> Body:
        """Return a reply as a chat answer."""
        return answering.chat_answer(reply, source.created_s)

    def answer(self, body: Body, usage: Usage | None, *, viewed: bool) -> Answer:
        """Return a chat answer with what policy needs lifted out."""
        return upstream.answer(body, usage, viewed=viewed)

    def reply(self, body: Body) -> Reply:
        """Return what a chat answer says."""
        return answering.chat_reply(body)

    def writer(self, source: Source, *, keep_usage: bool) -> Writer:
        """Return the writer of one stream."""
        return answering.ChatWriter(source, keep_usage=keep_usage)
