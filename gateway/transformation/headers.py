"""Which headers may be declared: for providers and for clients, and never a secret. Pure."""

import re
from functools import cache

from policies.detectors.secrets import Secrets

VALUE_MAX = 200

_NAME = re.compile(r"x-[a-z0-9]+(-[a-z0-9]+)*")
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_TO_PROVIDERS = frozenset({"http-referer", "openai-organization", "openai-project"})
_TO_CLIENTS = frozenset({"content-language", "deprecation", "link", "sunset"})
_OURS = (
    "x-gatehouse-", "x-request-id", "x-client-request-id", "x-ratelimit-", "x-should-retry",
    "x-forwarded-", "x-real-ip", "x-http-method", "x-method-override", "x-original-", "x-rewrite-",
    "x-accel-", "x-sendfile", "x-amz-", "x-goog-", "x-ms-", "x-stainless-", "x-xss-", "x-frame-",
    "x-content-type-",
)  # fmt: skip
"""Names that say how a call is carried, signed or answered: only the gateway says so."""

_SECRET = re.compile(
    r"(^|-)(auth|authorization|token|key|apikey|secret|password|cookie|session)(-|$)"
)


def name_fault(name: str, *, to_provider: bool) -> str:
    """Return why a header may not be declared, or ""."""
    if name in (_TO_PROVIDERS if to_provider else _TO_CLIENTS):
        return ""
    if len(name) > VALUE_MAX or not _NAME.fullmatch(name):
        listed = ", ".join(sorted(_TO_PROVIDERS if to_provider else _TO_CLIENTS))
        return f"a header that may be declared begins with x- in lower case, or is {listed}"
    if _SECRET.search(name):
        return "a header for a secret is not declared: secrets are the provider's credentials"
    if name.startswith(_OURS):
        return f"{name} is the gateway's own to send"
    return ""


def value_fault(value: str) -> str:
    """Return why a header may not have a value, or ""."""
    if len(value) > VALUE_MAX or not _VALUE.fullmatch(value):
        return f"a header's value is 1 to {VALUE_MAX} printable ASCII characters"
    if _secrets().find(value):
        return "the value looks like a credential: secrets are the provider's credentials"
    return ""


@cache
def _secrets() -> Secrets:
    return Secrets()
