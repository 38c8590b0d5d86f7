"""Who may call Bedrock, and where: access keys as JSON, or an API key; the region. Pure."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.providers import credential
from gateway.providers.bedrock.sigv4 import Key
from gateway.providers.fault import BadSetting

_NEEDED = ("access_key_id", "secret_access_key")
_POSSIBLE = ("session_token", "region")
_IN_HOST = re.compile(r"(?:^|[.-])bedrock(?:-runtime)?(?:-fips)?\.([a-z]{2,}(?:-[a-z]+)+-\d+)\.")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+")


class AccessKey(NamedTuple):
    """An access key, and the region that its signatures are for."""

    key: Key
    region: str


def read(secret: str, base_url: str) -> AccessKey | None:
    """Return the access key in a JSON secret; None where it is an API key. BadSetting where neither
    the address nor the secret names a region."""
    told = credential.fields(secret, _NEEDED, _POSSIBLE)
    if told is None:
        return None
    key = Key(told["access_key_id"], told["secret_access_key"], told.get("session_token", ""))
    return AccessKey(key, _region(base_url, told.get("region", "")))


def check(secret: str, base_url: str, *, allow_private: bool) -> None:
    """Raise BadSetting unless a secret is an access key for a known region, or an API key."""
    read(secret, base_url)


def _region(base_url: str, told: str) -> str:
    found = _IN_HOST.search((urlsplit(base_url).hostname or "") + ".")
    if found is not None and told in ("", found[1]):
        return found[1]
    if found is not None:
        raise BadSetting(f"the credential is for another region than {found[1]}")
    if not _REGION.fullmatch(told):
        raise BadSetting(
            'the address names no region: the credential needs one, as in "region": "eu-central-1"'
        )
    return told
