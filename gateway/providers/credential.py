"""Credentials that are more than one secret: a JSON object of strings. Pure."""

from collections.abc import Collection

from gateway.providers import document
from gateway.providers.fault import BadSetting

_LEAST_SECRET = 8


def fields(
    secret: str, needed: Collection[str], possible: Collection[str]
) -> dict[str, str] | None:
    """Return the strings of a JSON credential; None for a secret that is no object at all.

    BadSetting names what is missing or unknown, and repeats nothing that may be secret.
    """
    if not secret.startswith("{"):
        return None
    try:
        told = document.load(secret)
    except ValueError:
        raise BadSetting("the credential begins as JSON, and is none") from None
    known = (*needed, *possible)
    if unknown := sorted(told.keys() - set(known)):
        raise BadSetting(
            f"the credential has {len(unknown)} unknown fields: it takes {', '.join(known)}"
        )
    for name in needed:
        if not told.get(name):
            raise BadSetting(f"the credential lacks {name}")
    if not all(isinstance(value, str) for value in told.values()):
        raise BadSetting("the fields of the credential are strings")
    return dict(told)


def concealed(text: str, secret: str | None) -> str:
    """Return a text without a secret, nor any long string that a JSON credential is made of."""
    if not secret:
        return text
    for part in sorted({secret, *_parts(secret)}, key=len, reverse=True):
        text = text.replace(part, "***")
    return text


def _parts(secret: str) -> list[str]:
    if secret.startswith("Bearer "):
        return [secret.removeprefix("Bearer ")]
    if not secret.startswith("{"):
        return []
    try:
        told = document.load_last(secret)
    except ValueError:
        return []
    return [
        value for value in told.values() if isinstance(value, str) and len(value) >= _LEAST_SECRET
    ]
