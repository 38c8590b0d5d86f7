"""What a provider's headers say of its own limits: how long to leave it alone. Pure."""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h|d)", re.ASCII)
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
QUOTAS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Return for how long a refusal asks to be left alone: seconds, or until a date."""
    given_ms = _number(headers.get("retry-after-ms", ""))
    if given_ms is not None:
        return min(LONGEST_S, given_ms / 1000)
    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    seconds = _number(given)
    if seconds is not None:
        return min(LONGEST_S, seconds)
    try:
        until_s = parsedate_to_datetime(given).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(LONGEST_S, max(0.0, until_s - now_s))


def exhausted_s(headers: Mapping[str, str], now_s: float) -> float:
    """Return for how long an answer says that nothing more will be accepted; 0 for not at all."""
    longest = 0.0
    for remaining, reset in QUOTAS:
        if headers.get(remaining) == "0":
            longest = max(longest, _until(headers.get(reset, ""), now_s))
    return min(LONGEST_S, longest)


def _until(given: str, now_s: float) -> float:
    """Read a duration (`6m0s`, `20ms`), plain seconds, or an instant."""
    seconds = _number(given)
    if seconds is not None:
        return seconds
    parts = list(DURATION.finditer(given))
    if parts and "".join(part.group() for part in parts) == given:
        return sum(float(part["number"]) * UNITS_S[part["unit"]] for part in parts)
    try:
        return max(0.0, datetime.fromisoformat(given).timestamp() - now_s)
    except (ValueError, OverflowError):
        return 0.0


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
