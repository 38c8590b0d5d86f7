"""Which dialects there are, and who stands between each two. Pure."""

from collections.abc import Callable
from functools import cache

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import moderations
from gateway.providers.anthropic import client as anthropic
from gateway.providers.anthropic.conversing import AnthropicClient
from gateway.providers.anthropic.native import AnthropicNative, AnthropicWire
from gateway.providers.anthropic.speaking import AnthropicChat
from gateway.providers.completions import client as completions
from gateway.providers.completions.conversing import CompletionsClient
from gateway.providers.completions.native import CompletionsNative
from gateway.providers.dialect import Chat, Client, Interpreter, Wire
from gateway.providers.media import images, speech, transcriptions
from gateway.providers.openai import client as openai
from gateway.providers.openai.conversing import OpenAiClient
from gateway.providers.openai.native import OpenAiNative
from gateway.providers.openai.speaking import OpenAiChat
from gateway.providers.openai.upstream import OpenAiWire
from gateway.providers.responses import client as responses
from gateway.providers.responses.conversing import ResponsesClient
from gateway.providers.responses.native import ResponsesNative
from gateway.providers.translation import Translation

_OPENAI = ("openai", "simulated")

Parse = Callable[[Endpoint, Body, int], Call]

PARSERS: dict[Endpoint, Parse] = {
    Endpoint.CHAT: openai.parse,
    Endpoint.EMBEDDINGS: openai.parse,
    Endpoint.RESPONSES: responses.parse,
    Endpoint.COMPLETIONS: completions.parse,
    Endpoint.MODERATIONS: moderations.parse,
    Endpoint.IMAGES: images.parse,
    Endpoint.SPEECH: speech.parse,
    Endpoint.TRANSCRIPTIONS: transcriptions.parse,
    Endpoint.MESSAGES: anthropic.parse,
    Endpoint.COUNT_TOKENS: anthropic.parse,
}
"""Who reads the bodies of each endpoint."""

WIRES: dict[str, Wire] = {
    "openai": OpenAiWire(),
    "anthropic": AnthropicWire(),
    "simulated": OpenAiWire(),
}
"""How the providers of each dialect are spoken to."""

CHATS: dict[str, Chat] = {
    "openai": OpenAiChat(),
    "anthropic": AnthropicChat(),
    "simulated": OpenAiChat(),
}
"""The dialects of providers that a conversation can be written in."""

CLIENTS: dict[Endpoint, Client] = {
    Endpoint.CHAT: OpenAiClient(),
    Endpoint.RESPONSES: ResponsesClient(),
    Endpoint.COMPLETIONS: CompletionsClient(),
    Endpoint.MESSAGES: AnthropicClient(),
}
"""The endpoints whose requests are conversations."""

NATIVE: dict[tuple[Endpoint, str], Interpreter] = {
    **{
        (endpoint, dialect): OpenAiNative(endpoint)
        for endpoint in (Endpoint.CHAT, Endpoint.EMBEDDINGS)
        for dialect in _OPENAI
    },
    (Endpoint.RESPONSES, "openai"): ResponsesNative(),
    (Endpoint.COMPLETIONS, "openai"): CompletionsNative(),
    (Endpoint.MODERATIONS, "openai"): moderations.ModerationsNative(),
    (Endpoint.IMAGES, "openai"): images.ImagesNative(),
    (Endpoint.SPEECH, "openai"): speech.SpeechNative(),
    (Endpoint.TRANSCRIPTIONS, "openai"): transcriptions.TranscriptionsNative(),
    **{
        (endpoint, "anthropic"): AnthropicNative(endpoint)
        for endpoint in (Endpoint.MESSAGES, Endpoint.COUNT_TOKENS)
    },
}
"""Where client and provider speak alike."""


@cache
def between(endpoint: Endpoint, dialect: str) -> Interpreter | None:
    """Return who stands between an endpoint and a provider's dialect; None where nobody can."""
    native = NATIVE.get((endpoint, dialect))
    if native is not None:
        return native
    client, chat = CLIENTS.get(endpoint), CHATS.get(dialect)
    return Translation(client, chat) if client is not None and chat is not None else None
