"""What a guard found in texts lately, where its configuration says that it may be remembered.

No text is kept: one is known by a digest keyed for its tenant, under the guard's configuration.
It is the text as the guard was sent it, and what was found has its place in that one: what a mask
hides is up to more than the guard's configuration.
"""

from collections.abc import Callable
from typing import Final

from policies.detectors.finding import Finding

KEPT_S: Final = 60.0
MOST: Final = 8192

Verdict = tuple[Finding, ...]
Key = tuple[str, str, str, str]
"""The configuration of the guard, the phase, the role, the digest of the text."""


class GuardMemory:
    """The verdicts of the last minute; they are forgotten where they are too many."""

    __slots__ = ("_clock", "_kept")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[Key, tuple[float, Verdict]] = {}

    def known(self, key: Key) -> Verdict | None:
        """Return what was found in a text; None where it must be asked again."""
        until_s, verdict = self._kept.get(key, (0.0, ()))
        return verdict if self._clock() < until_s else None

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Remember a verdict for a minute."""
        now_s = self._clock()
        if len(self._kept) >= MOST:
            self._kept = {each: one for each, one in self._kept.items() if now_s < one[0]}
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = now_s + KEPT_S, verdict
