"""OpenAI's chat API on both sides, at Azure. Pure."""

from gateway.exchange import Body, Call, Endpoint, Outgoing
from gateway.providers.conversation import Conversation, Written
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.openai.native import OpenAiNative
from gateway.providers.openai.speaking import OpenAiChat
from gateway.providers.openai.stream import ChatStream

_OPENAI = "https://api.openai.com/v1"


class AzureNative(OpenAiNative):
    """Chats, for clients that know OpenAI alone."""

    def __init__(self) -> None:
        super().__init__(Endpoint.CHAT)

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model and the cap."""
        return super().outgoing(call, judged, _as_openai(target))

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        return AzureStream(
            keep_usage=passing.keep_usage,
            collect=passing.collect,
            limit=passing.limit,
            silent=passing.silent,
        )


class AzureChat(OpenAiChat):
    """The chat API on the provider's side of a translation."""

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation as a chat request."""
        return super().written(conversation, _as_openai(target))


class AzureStream(ChatStream):
    """A stream of chunks. Those without a choice or usage do not pass: they tell what Azure's
    filter thinks of the prompt, and clients that know OpenAI take the first choice of each."""

    def _read_chunk(self, chunk: Body) -> bool:
        shown = super()._read_chunk(chunk)
        return shown and bool(chunk.get("choices") or chunk.get("usage"))


def _as_openai(target: Target) -> Target:
    """Return a target that takes the fields that OpenAI's own does, and no other server's."""
    return target._replace(base_url=_OPENAI)
