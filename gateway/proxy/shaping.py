"""A body with what a policy adds to it: prompts, defaults, bounds on what a client may choose.

An endpoint that stands in no table here takes nothing from a policy: the call is refused then.
"""

from collections.abc import Callable, Mapping
from typing import Any

from gateway.exchange import Body, Call, Endpoint
from gateway.proxy.errors import Forbidden
from policies.pdp.obligations import Obligation, SetDefault

USUAL_TEMPERATURE = 1.0
"""What the APIs that generate take where a client says nothing."""

_SAMPLING: Mapping[str, str] = {"temperature": "temperature", "top_p": "top_p"}
_NONE: Mapping[str, str] = {}
PARAMETERS: Mapping[Endpoint, Mapping[str, str]] = {
    Endpoint.CHAT: _SAMPLING,
    Endpoint.COMPLETIONS: _SAMPLING,
    Endpoint.RESPONSES: _SAMPLING,
    Endpoint.MESSAGES: _SAMPLING,
    Endpoint.TRANSCRIPTIONS: {"temperature": "temperature"},
    Endpoint.COUNT_TOKENS: _NONE,
    Endpoint.EMBEDDINGS: _NONE,
    Endpoint.MODERATIONS: _NONE,
    Endpoint.IMAGES: _NONE,
    Endpoint.SPEECH: _NONE,
    Endpoint.SERVICE: _NONE,
}
"""What a request of each endpoint calls the parameters of sampling; one without any generates
nothing that they could change, and so keeps what is said of them."""

_MOST = {
    ("temperature", endpoint): 1.0 for endpoint in (Endpoint.MESSAGES, Endpoint.TRANSCRIPTIONS)
}
_FORMS = frozenset({Endpoint.TRANSCRIPTIONS})
"""Endpoints whose bodies are forms: their values are texts."""

_COOL = frozenset({Endpoint.TRANSCRIPTIONS})
"""Endpoints whose usual temperature is 0, under every bound."""


def unenforceable(obligation: Obligation, endpoint: Endpoint) -> Forbidden:
    """Return the refusal of a call for which an obligation cannot be kept."""
    return Forbidden(
        "obligation_unenforceable",
        f"The policy's {obligation.key} cannot be kept for {endpoint.value}.",
        "Tell the policy's author: a rule may look at call.endpoint.",
    )


def prompted(endpoint: Endpoint, body: Body, texts: tuple[str, ...]) -> Body | None:
    """Return a body with these texts before its system prompt; None where it has no place."""
    put = _SYSTEM.get(endpoint)
    return put(body, "\n\n".join(texts)) if put is not None else None


def defaulted(endpoint: Endpoint, body: Body, default: SetDefault) -> Body | None:
    """Return a body with what the client left open; None where it cannot be told.

    The default of `max_output_tokens` is no field: the cap that is sent upstream follows it.
    """
    names = PARAMETERS.get(endpoint)
    if names is None:
        return None
    left_open = {
        names[name]: _spelled(endpoint, min(value, _MOST.get((name, endpoint), value)))
        for name, value in default.values
        if name in names and body.get(names[name]) is None
    }
    return {**body, **left_open} if left_open else body


def cooled(call: Call, body: Body, most: float) -> Body | None:
    """Return a body whose temperature is at most that; None where it cannot be told.

    Where neither client nor policy say one, the usual temperature is bounded, and sent.
    """
    names = PARAMETERS.get(call.endpoint)
    if names is None:
        return None
    name = names.get("temperature")
    if name is None:
        return body
    said = body.get(name)
    if said is None and call.endpoint in _COOL:
        return body
    wanted = USUAL_TEMPERATURE if said is None else float(said)
    if said is not None and wanted <= most:
        return body
    return {**body, name: _spelled(call.endpoint, min(wanted, most))}


def _spelled(endpoint: Endpoint, value: float) -> float | str:
    return f"{value:g}" if endpoint in _FORMS else value


def _before_messages(body: Body, text: str) -> Body:
    first = {"role": "system", "content": text}
    return {**body, "messages": [first, *body["messages"]]}


def _before_system(body: Body, text: str) -> Body:
    system: Any = body.get("system")
    if not system:
        return {**body, "system": text}
    if isinstance(system, str):
        return {**body, "system": f"{text}\n\n{system}"}
    return {**body, "system": [{"type": "text", "text": text}, *system]}


def _before_instructions(body: Body, text: str) -> Body:
    own = body.get("instructions")
    return {**body, "instructions": f"{text}\n\n{own}" if own else text}


_SYSTEM: Mapping[Endpoint, Callable[[Body, str], Body]] = {
    Endpoint.RESPONSES: _before_instructions,
    Endpoint.CHAT: _before_messages,
    Endpoint.MESSAGES: _before_system,
    Endpoint.COUNT_TOKENS: _before_system,
}
