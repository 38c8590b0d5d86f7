"""Steps 1 and 4: bytes to values, within limits."""

import ipaddress
import re
from collections.abc import Callable

import orjson

from gateway.environment import Network
from gateway.exchange import Asked, Body, Call, Endpoint, Head, ServiceCall
from gateway.providers import document, form, multipart
from gateway.providers.dialects import PARSERS
from gateway.providers.fault import BadRequest as DialectFault
from gateway.providers.service import address, client
from gateway.providers.service.operations import SECRET_PARAMETERS
from gateway.proxy import paths
from gateway.proxy.errors import (
    BadRequest,
    Unauthenticated,
    UnsupportedMedia,
)
from gateway.proxy.wire import Scope

TRACE = re.compile(rb"\A00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
CLIENT_ID = re.compile(r"\A[A-Za-z0-9._:-]{1,128}\Z")
DECLARED = re.compile(r"\A[^\x00-\x1f\x7f]{1,200}\Z")
TAG = re.compile(r"\A([a-z0-9][a-z0-9._-]{0,62})=([A-Za-z0-9._:@/+-]{1,120})\Z")
SECRETS = frozenset(name.encode() for name in SECRET_PARAMETERS)


def head(scope: Scope, headers: dict[bytes, bytes], trusted: tuple[Network, ...]) -> Head:
    """Read what is needed before the body may be read; raise for what is no endpoint of ours."""
    place = paths.place(scope["path"], scope["method"])
    return Head(
        endpoint=place.endpoint,
        secret=_secret(scope, headers),
        client_request_id=_client_request_id(headers),
        user=_declared(headers, b"x-gatehouse-user"),
        conversation=_declared(headers, b"x-gatehouse-conversation"),
        tags=_tags(headers),
        source=_source(scope, headers, trusted),
        model=place.model,
        traceparent=_traceparent(headers),
        headers=headers,
        asked=_asked(scope) if place.endpoint is Endpoint.SERVICE else None,
    )


def call(
    head: Head,
    raw: bytes,
    headers: dict[bytes, bytes],
    most_messages: int,
    *,
    reshape: Callable[[Body], Body] | None = None,
) -> Call:
    """Parse a body in the dialect of its endpoint; what is judged is what will be forwarded.

    `reshape` is what is declared to be done to it first; its size is then that of what it becomes.
    """
    content_type = headers.get(b"content-type", b"application/json").decode("latin-1")
    try:
        if head.service is not None:
            return _service_call(head.service, raw, content_type)
        body, file = _body(head, raw, content_type)
        named, size = _named(head, body), len(raw)
        if reshape is not None:
            named, size = _reshaped(named, size, reshape)
        parsed = PARSERS[head.endpoint](head.endpoint, named, size)
    except DialectFault as fault:
        raise BadRequest("invalid_request", fault.message, param=fault.param or None) from None
    if parsed.messages > most_messages:
        raise BadRequest(
            "invalid_request",
            f"There are {parsed.messages} messages; at most {most_messages} are taken.",
            param="messages",
        )
    if parsed.user and not DECLARED.match(parsed.user):
        raise BadRequest("invalid_request", "user is 1 to 200 printable characters.", param="user")
    return parsed._replace(file=file) if file else parsed


def _asked(scope: Scope) -> Asked:
    """Return what the address of a service says, by its bytes: a decoded path has lost them."""
    try:
        return address.asked(scope["raw_path"], scope["query_string"], scope["method"])
    except DialectFault as fault:
        raise BadRequest("invalid_request", fault.message, param=fault.param) from None


def _service_call(asked: ServiceCall, raw: bytes, content_type: str) -> Call:
    """Read the body of an operation where it takes one, which any JSON may be."""
    if asked.operation.body == "none":
        if raw:
            raise BadRequest("invalid_request", f"{asked.operation.name} takes no body.")
        return client.parse(asked, None, 0)
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMedia(
            "unsupported_media_type", "The body must be JSON.", "Send application/json."
        )
    return client.parse(asked, _value(raw), len(raw))


def _body(head: Head, raw: bytes, content_type: str) -> tuple[Body, bytes]:
    """Return a body, and the file that came with it where the endpoint takes a form."""
    if head.endpoint is Endpoint.TRANSCRIPTIONS:
        if multipart.is_form(content_type):
            return form.read(raw, content_type)
        wanted, remedy = "a form", "Send multipart/form-data."
    elif content_type.startswith("application/json"):
        return _document(raw), b""
    else:
        wanted, remedy = "JSON", "Send application/json."
    raise UnsupportedMedia("unsupported_media_type", f"The body must be {wanted}.", remedy)


def _document(raw: bytes) -> Body:
    value = _value(raw)
    if not isinstance(value, dict):
        raise BadRequest("invalid_request", "The body must be a JSON object.")
    return value


def _value(raw: bytes) -> object:
    if b"\\u0000" in raw:
        raise BadRequest("invalid_request", "The body holds the character U+0000.")
    try:
        return document.load(raw)
    except ValueError as error:
        raise BadRequest(
            "invalid_request", f"The body is not JSON of one meaning: {error}"[:300]
        ) from None


def _named(head: Head, body: Body) -> Body:
    """Return a body with the model that the path names; one that names another is refused."""
    if not head.model:
        return body
    if body.get("model") not in (None, head.model):
        raise BadRequest(
            "invalid_request",
            f"The path names the model {head.model[:120]!r}, the body another.",
            "Leave the model out of the body.",
            param="model",
        )
    return {**body, "model": head.model}


def _reshaped(body: Body, size: int, reshape: Callable[[Body], Body]) -> tuple[Body, int]:
    """Return what a body becomes, and its size."""
    shaped = reshape(body)
    return (body, size) if shaped is body else (shaped, len(orjson.dumps(shaped)))


def check_tags(head: Head, declared: tuple[str, ...]) -> None:
    """Refuse a tag whose name the tenant has not declared."""
    for name, _ in head.tags:
        if name not in declared:
            raise BadRequest(
                "invalid_request",
                f"The tag {name!r} is not declared by this tenant.",
                f"Declared are: {', '.join(declared) or 'none'}.",
                param="x-gatehouse-tags",
            )


def _source(scope: Scope, headers: dict[bytes, bytes], trusted: tuple[Network, ...]) -> str:
    """Return the caller's address: the last one that no proxy of ours has put there."""
    client = scope["client"]
    address: str = client[0] if client else ""
    if not trusted or not address:
        return address
    hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
    while hops and any(_within(address, network) for network in trusted):
        hop = hops.pop().strip()
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            return address
        address = hop
    return address


def _within(address: str, network: Network) -> bool:
    return ipaddress.ip_address(address) in network


def _secret(scope: Scope, headers: dict[bytes, bytes]) -> str:
    query = scope["query_string"]
    if query and not SECRETS.isdisjoint(part.split(b"=")[0] for part in query.split(b"&")):
        raise Unauthenticated(
            "invalid_api_key",
            "A key in the address would be written into logs on the way.",
            "Send it as 'Authorization: Bearer'.",
        )
    presented = headers.get(b"authorization")
    if presented is not None:
        scheme, _, secret = presented.partition(b" ")
        return secret.strip().decode("latin-1") if scheme.lower() == b"bearer" else ""
    other = headers.get(b"x-api-key") or headers.get(b"api-key") or b""
    return other.decode("latin-1")


def _client_request_id(headers: dict[bytes, bytes]) -> str:
    given = headers.get(b"x-request-id")
    if given is None:
        return ""
    text = given.decode("latin-1")
    return text if CLIENT_ID.match(text) else ""


def _traceparent(headers: dict[bytes, bytes]) -> str:
    """Return the trace that a call is part of; "" for none, or what is no W3C trace context."""
    given = headers.get(b"traceparent")
    return given.decode() if given is not None and TRACE.match(given) else ""


def _declared(headers: dict[bytes, bytes], name: bytes) -> str:
    given = headers.get(name)
    if given is None:
        return ""
    try:
        text = given.decode()
    except UnicodeDecodeError:
        text = ""
    if not DECLARED.match(text):
        raise BadRequest(
            "invalid_request", f"{name.decode()} is 1 to 200 printable characters in UTF-8."
        )
    return text


def _tags(headers: dict[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    given = headers.get(b"x-gatehouse-tags")
    if given is None:
        return ()
    tags = {}
    for part in given.decode("latin-1").split(","):
        match = TAG.match(part.strip())
        if match is None or match[1] in tags:
            raise BadRequest(
                "invalid_request",
                "x-gatehouse-tags is name=value,name=value with each name once.",
                param="x-gatehouse-tags",
            )
        tags[match[1]] = match[2]
    return tuple(sorted(tags.items()))
