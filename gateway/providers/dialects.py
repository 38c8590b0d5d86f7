"""Which dialects there are, and who stands between each two. Pure."""

from collections.abc import Callable
from functools import cache
from typing import Protocol

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import moderations
from gateway.providers.anthropic import client as anthropic
from gateway.providers.anthropic.conversing import AnthropicClient
from gateway.providers.anthropic.native import AnthropicNative, AnthropicWire
from gateway.providers.anthropic.speaking import AnthropicChat
from gateway.providers.azure import wire as azure
from gateway.providers.azure.native import AzureChat, AzureNative
from gateway.providers.azure.wire import AzureWire
from gateway.providers.bedrock import access as bedrock
from gateway.providers.bedrock.embeddings import COUNTED, BedrockEmbedder
from gateway.providers.bedrock.speaking import BedrockChat
from gateway.providers.bedrock.wire import BedrockWire
from gateway.providers.completions import client as completions
from gateway.providers.completions.conversing import CompletionsClient
from gateway.providers.completions.native import CompletionsNative
from gateway.providers.dialect import Chat, Client, Interpreter, Wire
from gateway.providers.embedding import EmbeddingTranslation
from gateway.providers.gemini.embeddings import GeminiEmbedder
from gateway.providers.gemini.speaking import GeminiChat
from gateway.providers.gemini.wire import GeminiWire
from gateway.providers.media import images, speech, transcriptions
from gateway.providers.openai import client as openai
from gateway.providers.openai.conversing import OpenAiClient
from gateway.providers.openai.native import OpenAiNative
from gateway.providers.openai.speaking import OpenAiChat
from gateway.providers.openai.upstream import OpenAiWire
from gateway.providers.responses import client as responses
from gateway.providers.responses.conversing import ResponsesClient
from gateway.providers.responses.native import ResponsesNative
from gateway.providers.service.native import ServiceNative, ServiceWire
from gateway.providers.translation import Translation

_OPENAI = ("openai", "simulated")

Parse = Callable[[Endpoint, Body, int], Call]


class CheckCredential(Protocol):
    """Raises BadSetting for a secret that is no credential of a dialect."""

    def __call__(self, secret: str, base_url: str, *, allow_private: bool) -> None:
        """Check one secret for one provider."""


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
    "azure-openai": AzureWire(),
    "gemini": GeminiWire(),
    "bedrock": BedrockWire(),
}
"""How the providers of each dialect are spoken to."""

CHATS: dict[str, Chat] = {
    "openai": OpenAiChat(),
    "anthropic": AnthropicChat(),
    "simulated": OpenAiChat(),
    "azure-openai": AzureChat(),
    "gemini": GeminiChat(),
    "bedrock": BedrockChat(),
}
"""The dialects of providers that a conversation can be written in."""

CLIENTS: dict[Endpoint, Client] = {
    Endpoint.CHAT: OpenAiClient(),
    Endpoint.RESPONSES: ResponsesClient(),
    Endpoint.COMPLETIONS: CompletionsClient(),
    Endpoint.MESSAGES: AnthropicClient(),
}
"""The endpoints whose requests are conversations."""

_BESIDE: dict[Endpoint, Interpreter] = {
    Endpoint.MODERATIONS: moderations.ModerationsNative(),
    Endpoint.IMAGES: images.ImagesNative(),
    Endpoint.SPEECH: speech.SpeechNative(),
    Endpoint.TRANSCRIPTIONS: transcriptions.TranscriptionsNative(),
}

NATIVE: dict[tuple[Endpoint, str], Interpreter] = {
    **{
        (endpoint, dialect): OpenAiNative(endpoint)
        for endpoint in (Endpoint.CHAT, Endpoint.EMBEDDINGS)
        for dialect in _OPENAI
    },
    (Endpoint.RESPONSES, "openai"): ResponsesNative(),
    (Endpoint.COMPLETIONS, "openai"): CompletionsNative(),
    **{(endpoint, dialect): _BESIDE[endpoint] for endpoint in _BESIDE for dialect in _OPENAI},
    **{
        (endpoint, "anthropic"): AnthropicNative(endpoint)
        for endpoint in (Endpoint.MESSAGES, Endpoint.COUNT_TOKENS)
    },
}
"""Where client and provider speak alike."""

NATIVE |= {
    (endpoint, "azure-openai"): native
    for (endpoint, dialect), native in NATIVE.items()
    if dialect == "openai" and endpoint is not Endpoint.MODERATIONS  # which Azure has not
}
NATIVE[Endpoint.CHAT, "azure-openai"] = AzureNative()

SERVICE = "service"
"""The dialect of upstreams that are no providers: each speaks as its operations say."""

NATIVE[Endpoint.SERVICE, SERVICE] = ServiceNative()
_SERVICE_WIRE = ServiceWire()
EMBEDDINGS: dict[str, Interpreter] = {
    "gemini": EmbeddingTranslation(GeminiEmbedder()),
    "bedrock": EmbeddingTranslation(BedrockEmbedder()),
}
"""Who stands between the embeddings API and providers with one of their own."""

TOLD = frozenset({COUNTED})
"""The headers of answers in which a provider says something of the answer itself, in lower case."""

VERSIONED = frozenset({"azure-openai"})
"""The dialects whose base URLs may name the version of their API in a query."""

_ORIGINS: dict[str, Callable[[str], None]] = {"azure-openai": azure.check_origin}
_CREDENTIALS: dict[str, CheckCredential] = {
    "azure-openai": azure.check_credential,
    "bedrock": bedrock.check,
}


def wire(dialect: str) -> Wire:
    """Return how an upstream of a dialect is spoken to."""
    return _SERVICE_WIRE if dialect == SERVICE else WIRES[dialect]


def check_origin(dialect: str, base_url: str) -> None:
    """Raise BadSetting where a base URL is none of a dialect's; its form has been checked."""
    if dialect in _ORIGINS:
        _ORIGINS[dialect](base_url)


def check_credential(dialect: str, secret: str, base_url: str, *, allow_private: bool) -> None:
    """Raise BadSetting where a secret is no credential of a dialect."""
    if dialect in _CREDENTIALS:
        _CREDENTIALS[dialect](secret, base_url, allow_private=allow_private)


@cache
def between(endpoint: Endpoint, dialect: str) -> Interpreter | None:
    """Return who stands between an endpoint and a provider's dialect; None where nobody can."""
    native = NATIVE.get((endpoint, dialect))
    if native is not None:
        return native
    if endpoint is Endpoint.EMBEDDINGS:
        return EMBEDDINGS.get(dialect)
    client, chat = CLIENTS.get(endpoint), CHATS.get(dialect)
    return Translation(client, chat) if client is not None and chat is not None else None
