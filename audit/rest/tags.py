"""Entity tags: the name of what an answer said, so that a write can tell whether it still holds."""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any


def tag(shown: Mapping[str, Any], volatile: Collection[str] = ()) -> str:
    """Return the entity tag of a representation; `volatile` members change on their own."""
    said = {name: value for name, value in shown.items() if name not in volatile}
    text = json.dumps(said, sort_keys=True, default=str, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def holds(if_match: str, current: str) -> bool:
    """Return whether an If-Match names the current tag. A weak tag never does."""
    wanted = [part.strip() for part in if_match.split(",")]
    return "*" in wanted or current in wanted
