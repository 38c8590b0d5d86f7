"""Which facts each version of the schema has: what a record made under it can tell. Pure.

Facts were only ever added, at the end of the table, so a count says which.
"""

from collections.abc import Mapping
from types import MappingProxyType

from policies.pdp.request import FACTS, SCHEMA_VERSION

ADDED_WITH: Mapping[int, str] = MappingProxyType(
    {2: "secret.count", 3: "call.headers", 4: "call.service", 5: "custom.count"}
)
"""The first fact that each version added."""

_NAMES = tuple(FACTS)


def facts_of(schema: int) -> frozenset[str]:
    """Return the facts that records of a version have; those of an unknown one have none."""
    if not 1 <= schema <= SCHEMA_VERSION:
        return frozenset()
    later = [_NAMES.index(name) for version, name in ADDED_WITH.items() if version > schema]
    return frozenset(_NAMES[: min(later, default=len(_NAMES))])
