"""Rules that do not hold for some callers for a time. Pure.

An exemption loosens, so it ends: the instant of a call is given in with its facts, and without one
no exemption holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.pdp.obligations import Json
from policies.pdp.request import SLOTS, FactValue

_APP, _KEY = SLOTS["app.name"], SLOTS["key.id"]


@dataclass(frozen=True, slots=True)
class Exemption:
    """Exempts calls from `rules` ("policy/rule", or "policy/default") before `expires_s`.

    `apps` are names of apps and `keys` public ids of keys: a call is covered where each list that
    is not empty names it. `expires_s` is an instant in UTC epoch seconds. Records name `name`.
    """

    name: str
    rules: frozenset[str]
    expires_s: int
    apps: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()

    def covers(self, slots: Sequence[FactValue], at_s: float) -> bool:
        """Say whether the exemption holds for a call with these facts at that instant."""
        return (
            at_s < self.expires_s
            and (not self.apps or slots[_APP] in self.apps)
            and (not self.keys or slots[_KEY] in self.keys)
        )

    def written(self) -> Json:
        """Return all that a decision depends on, as JSON that is the same for equal exemptions."""
        return {
            "name": self.name,
            "rules": list[Json](sorted(self.rules)),
            "expires_s": self.expires_s,
            "apps": list[Json](sorted(self.apps)),
            "keys": list[Json](sorted(self.keys)),
        }


def read(written: Mapping[str, Any]) -> Exemption:
    """Return the exemption that a record keeps as `written`."""
    return Exemption(
        name=written["name"],
        rules=frozenset(written["rules"]),
        expires_s=written["expires_s"],
        apps=frozenset(written["apps"]),
        keys=frozenset(written["keys"]),
    )


Exempt = tuple[tuple[str, str], ...]
"""Sorted pairs: a rule that does not hold, and the exemption by which."""


def exempt(exemptions: Sequence[Exemption], slots: Sequence[FactValue], at_s: float) -> Exempt:
    """Return what does not hold for a call at an instant."""
    return tuple(
        sorted(
            (rule, exemption.name)
            for exemption in exemptions
            if exemption.covers(slots, at_s)
            for rule in exemption.rules
        )
    )
