"""Microsoft Entra tokens by client credentials: what is asked for, what is answered. Pure."""

from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from gateway.exchange import UpstreamRequest
from gateway.origins import OriginError, base_url
from gateway.providers import credential
from gateway.providers.fault import BadAnswer, BadSetting

_NEEDED = ("tenant_id", "client_id", "client_secret")
_POSSIBLE = ("authority", "scope")
_AUTHORITY = "https://login.microsoftonline.com"
_SCOPE = "https://cognitiveservices.azure.com/.default"
_LONGEST_S = 24 * 3600


class ClientCredentials(NamedTuple):
    """An application of a directory. `authority` is whom to ask, `scope` what the token is for."""

    tenant_id: str
    client_id: str
    client_secret: str
    authority: str
    scope: str


class Token(NamedTuple):
    """A bearer token and the instant at which it ends."""

    text: str
    ends_s: float


def read(secret: str) -> ClientCredentials | None:
    """Return the client credentials in a JSON secret; None where it is an API key."""
    told = credential.fields(secret, _NEEDED, _POSSIBLE)
    if told is None:
        return None
    return ClientCredentials(
        told["tenant_id"],
        told["client_id"],
        told["client_secret"],
        (told.get("authority") or _AUTHORITY).rstrip("/"),
        told.get("scope") or _SCOPE,
    )


def check(secret: str, *, allow_private: bool) -> None:
    """Raise BadSetting unless a secret is an API key, or client credentials whose authority may be
    called as the provider itself may."""
    asked = read(secret)
    if asked is None:
        return
    try:
        base_url(asked.authority, allow_private=allow_private)
    except OriginError as error:
        raise BadSetting(f"the authority of the credential: {error}") from None


def token_request(asked: ClientCredentials) -> UpstreamRequest:
    """Return the request for a token."""
    url = f"{asked.authority}/{quote(asked.tenant_id, safe='')}/oauth2/v2.0/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": asked.client_id,
        "client_secret": asked.client_secret,
        "scope": asked.scope,
    }
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
        "user-agent": "gatehouse",
    }
    return UpstreamRequest(url, headers, urlencode(form).encode())


def read_token(raw: bytes, now_s: float) -> Token:
    """Return the token of an answer; BadAnswer where there is none that a header can hold."""
    try:
        told: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadAnswer("the answer is not JSON") from error
    match told:
        case {"access_token": str(text), "expires_in": int(lasts_s)} if (
            text.isascii() and text.isprintable() and text and lasts_s > 0
        ):
            return Token(text, now_s + min(lasts_s, _LONGEST_S))
    raise BadAnswer("the answer holds no token")
