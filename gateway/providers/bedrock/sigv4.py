"""AWS Signature Version 4 for requests with a body in memory. Pure: the clock is an argument."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"https": 443, "http": 80}


class Key(NamedTuple):
    """An access key. `token` is the session's, "" for a key that lasts."""

    id: str
    secret: str
    token: str = ""


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


class Message(NamedTuple):
    """What is signed. The path and query of `url` are those that are sent, escapes included."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def signed(message: Message, key: Key, scope: Scope, now_s: float) -> dict[str, str]:
    """Return the headers that make a message a signed one, beside those that it has."""
    at = datetime.fromtimestamp(now_s, UTC)
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    added = {"x-amz-date": stamp}
    if key.token:
        added["x-amz-security-token"] = key.token
    covered = {**message.headers, **added, "host": host(message.url)}
    names = ";".join(sorted(covered))
    within = f"{day}/{scope.region}/{scope.service}/aws4_request"
    digest = hashlib.sha256(_canonical(message, covered, names).encode()).hexdigest()
    text = "\n".join((_ALGORITHM, stamp, within, digest))
    signature = hmac.new(_signing_key(key.secret, day, scope), text.encode(), hashlib.sha256)
    added["authorization"] = (
        f"{_ALGORITHM} Credential={key.id}/{within}, SignedHeaders={names}, "
        f"Signature={signature.hexdigest()}"
    )
    return added


def host(url: str) -> str:
    """Return the host header of a URL: its port stands there unless it is the usual one."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port in (None, _PORTS.get(parts.scheme)) else f"{name}:{parts.port}"


def _canonical(message: Message, covered: dict[str, str], names: str) -> str:
    """Return the text that both sides make of a message. An escape in the path is escaped again."""
    parts = urlsplit(message.url)
    pairs = sorted(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    lines = [f"{name}:{' '.join(covered[name].split())}" for name in sorted(covered)]
    return "\n".join(
        (
            message.method,
            quote(parts.path or "/", safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *lines,
            "",
            names,
            hashlib.sha256(message.body).hexdigest(),
        )
    )


def _signing_key(secret: str, day: str, scope: Scope) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
