"""Which dialects there are, and who stands between each two. Pure."""

from functools import cache

from gateway.exchange import Endpoint
from gateway.providers.dialect import Chat, Client, Interpreter, Wire
from gateway.providers.openai.conversing import OpenAiClient
from gateway.providers.openai.native import OpenAiNative
from gateway.providers.openai.speaking import OpenAiChat
from gateway.providers.openai.upstream import OpenAiWire
from gateway.providers.translation import Translation

_OPENAI = ("openai", "simulated")

WIRES: dict[str, Wire] = {"openai": OpenAiWire(), "simulated": OpenAiWire()}
"""How the providers of each dialect are spoken to."""

CHATS: dict[str, Chat] = {"openai": OpenAiChat(), "simulated": OpenAiChat()}
"""The dialects of providers that a conversation can be written in."""

CLIENTS: dict[Endpoint, Client] = {Endpoint.CHAT: OpenAiClient()}
"""The endpoints whose requests are conversations."""

NATIVE: dict[tuple[Endpoint, str], Interpreter] = {
    (endpoint, dialect): OpenAiNative(endpoint)
    for endpoint in (Endpoint.CHAT, Endpoint.EMBEDDINGS)
    for dialect in _OPENAI
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
