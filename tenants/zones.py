"""The time zones that a tenant can have."""

import zoneinfo
from functools import cache


@cache
def known_zones() -> frozenset[str]:
    """Return the names of all IANA time zones; they are looked for once."""
    return frozenset(zoneinfo.available_timezones())
