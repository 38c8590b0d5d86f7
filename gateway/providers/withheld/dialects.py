"""Whose streams can be looked through as they come, by what the client asks for. Pure."""

from collections.abc import Callable, Mapping

from gateway.exchange import Call, Endpoint
from gateway.providers.withheld.chunks import ChatWithheld, CompletionWithheld
from gateway.providers.withheld.inspector import Inspector, Withheld
from gateway.providers.withheld.messages import MessageWithheld
from gateway.providers.withheld.responses import ResponseWithheld

WITHHELD: Mapping[Endpoint, Callable[[Inspector, int], Withheld]] = {
    Endpoint.CHAT: ChatWithheld,
    Endpoint.COMPLETIONS: CompletionWithheld,
    Endpoint.RESPONSES: ResponseWithheld,
    Endpoint.MESSAGES: MessageWithheld,
}

_SPELLING = ("logprobs", "top_logprobs")


def spells_twice(call: Call) -> bool:
    """Tell whether a call asks for the tokens of its answer, which spell each text once more: such
    a stream is gathered, for the one cannot leave before the other."""
    include = call.body.get("include")
    wanted = include if isinstance(include, list) else []
    return any(call.body.get(name) for name in _SPELLING) or any(
        "logprobs" in str(one) for one in wanted
    )
