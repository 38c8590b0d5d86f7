"""Which paths are endpoints, which of a provider's are none of ours, and whose model a path names.

Clients of Azure OpenAI ask at `/openai/v1/...`, at `/openai/...`, or at `/openai/deployments/` and
the model's name, with an `api-version` that changes nothing here: each means the endpoint of the
same name. What stands below `/services/` is read by gateway/providers/service, once it is known who
calls.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.exchange import Endpoint
from gateway.providers.service.address import PREFIX as SERVICES
from gateway.proxy.errors import MethodNotAllowed, NotFound, NotGovernable

PATHS: dict[str, tuple[str, Endpoint]] = {
    "/v1/chat/completions": ("POST", Endpoint.CHAT),
    "/v1/responses": ("POST", Endpoint.RESPONSES),
    "/v1/completions": ("POST", Endpoint.COMPLETIONS),
    "/v1/embeddings": ("POST", Endpoint.EMBEDDINGS),
    "/v1/moderations": ("POST", Endpoint.MODERATIONS),
    "/v1/images/generations": ("POST", Endpoint.IMAGES),
    "/v1/audio/speech": ("POST", Endpoint.SPEECH),
    "/v1/audio/transcriptions": ("POST", Endpoint.TRANSCRIPTIONS),
    "/v1/messages": ("POST", Endpoint.MESSAGES),
    "/v1/messages/count_tokens": ("POST", Endpoint.COUNT_TOKENS),
    "/v1/models": ("GET", Endpoint.MODELS),
}
UNGOVERNED = (
    # of OpenAI
    "/v1/chat/completions", "/v1/responses", "/v1/conversations", "/v1/realtime", "/v1/live",
    "/v1/images", "/v1/audio", "/v1/videos", "/v1/files", "/v1/uploads", "/v1/batches",
    "/v1/assistants", "/v1/threads", "/v1/fine_tuning", "/v1/vector_stores", "/v1/evals",
    "/v1/containers", "/v1/chatkit", "/v1/decisions", "/v1/content_provenance_checks", "/v1/safety",
    "/v1/projects", "/v1/organization", "/v1/webhook_endpoints", "/v1/webhook_event_types",
    # of Anthropic
    "/v1/messages", "/v1/complete", "/v1/organizations", "/v1/environments", "/v1/deployments",
    "/v1/deployment_runs", "/v1/dreams", "/v1/memory_stores", "/v1/tunnels", "/v1/user_profiles",
    # of both
    "/v1/agents", "/v1/sessions", "/v1/skills", "/v1/vaults",
)  # fmt: skip
"""What providers serve, and what stands below these, unless it is one of `PATHS`."""

_UNGOVERNED = re.compile(rf"\A(?:{'|'.join(map(re.escape, UNGOVERNED))})(?:/[^/].*)?\Z")
_AZURE = "/openai/"
_DEPLOYMENT = re.compile(r"\A/openai/deployments/([^/]+)(/.+)\Z")
_ANTHROPIC = "/v1/messages"
_SHORT = 128


class Place(NamedTuple):
    """What a path asks for; `model` is the one that the path itself names, or ""."""

    endpoint: Endpoint
    path: str
    model: str = ""


def serves(path: str) -> bool:
    """Whether a path belongs to the data plane."""
    return path.startswith(("/v1/", _AZURE, SERVICES))


def plain(path: str) -> tuple[str, str]:
    """Return a path as it is without Azure's ways of writing it, and the model that it names."""
    if not path.startswith(_AZURE):
        return path, ""
    named = _DEPLOYMENT.match(path)
    if named is not None:
        return f"/v1{named[2]}", named[1]
    rest = path.removeprefix(_AZURE)
    if rest.startswith("deployments"):
        return path, ""
    return "/v1/" + rest.removeprefix("v1/"), ""


def place(path: str, method: str) -> Place:
    """Return what a path asks for; raise for what is no endpoint of ours."""
    return _known(path, method) if len(path) <= _SHORT else _placed(path, method)


def _placed(path: str, method: str) -> Place:
    if path.startswith(SERVICES):
        return Place(Endpoint.SERVICE, path)
    found_path, model = plain(path)
    found = PATHS.get(found_path)
    if found is None and found_path.startswith("/v1/models/") and not model:
        found = PATHS["/v1/models"]
    if found is not None and _is_elsewhere(path, found[1], model):
        found, found_path = None, ""
    if found is None:
        raise _unknown(path, found_path)
    if method != found[0] and (method, found[0]) != ("HEAD", "GET"):
        raise MethodNotAllowed("method_not_allowed", f"{path} takes {found[0]}, not {method}.")
    return Place(found[1], found_path, model)


_known = lru_cache(1024)(_placed)


def is_anthropic(path: str) -> bool:
    """Whether whoever asks at a path is a client of Anthropic."""
    return path == _ANTHROPIC or path.startswith(f"{_ANTHROPIC}/")


def is_responses(path: str) -> bool:
    """Whether the responses API is asked for at a path."""
    return plain(path)[0] == "/v1/responses"


def _is_elsewhere(path: str, endpoint: Endpoint, model: str) -> bool:
    """Whether Azure OpenAI has no such path for an endpoint that is known otherwise."""
    foreign = endpoint in (Endpoint.MESSAGES, Endpoint.COUNT_TOKENS)
    return path.startswith(_AZURE) and (foreign or (bool(model) and endpoint is Endpoint.MODELS))


def _unknown(path: str, found_path: str) -> NotGovernable | NotFound:
    if _UNGOVERNED.match(found_path):
        return NotGovernable(
            "not_governable",
            f"{path[:200]} cannot be governed by this version, so it is not forwarded.",
            f"These can: {', '.join(PATHS)}.",
        )
    return NotFound("not_found", "There is no such endpoint.", f"There are {', '.join(PATHS)}.")
