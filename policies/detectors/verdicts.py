"""What was found in texts that were read before: chat clients send the whole history each turn.

No text is kept. A text is known by a digest keyed for its tenant, so nobody learns what another
tenant sent. One memory belongs to one scanner, whose version covers all that decides what is found;
what a detector could not finish is never remembered, and neither is a place in a body.
"""

from collections.abc import Hashable, Sequence
from operator import attrgetter
from typing import Final, Generic, TypeVar

from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.scanner import MAX_TEXT, Scanner

TEXTS: Final = 8192
"""How many texts a memory surely holds; it holds at most twice as many."""

WEIGHT_MAX: Final = 256
"""Findings in one text beyond which they are not kept."""

Verdict = tuple[Finding, ...]
"""What was found in one text."""

_CATEGORY: Final = attrgetter("category")

Key = TypeVar("Key", bound=Hashable)


class Memory(Generic[Key]):
    """What was found under each key, of the keys that were asked for lately."""

    __slots__ = ("_most", "_older", "_recent")

    def __init__(self, most: int = TEXTS) -> None:
        self._most = most
        self._recent: dict[Key, Verdict] = {}
        self._older: dict[Key, Verdict] = {}

    def known(self, key: Key) -> Verdict | None:
        """Return what was kept under a key, if it is still here."""
        verdict = self._recent.get(key)
        if verdict is None:
            verdict = self._older.get(key)
            if verdict is not None:
                self.keep(key, verdict)
        return verdict

    def keep(self, key: Key, verdict: Verdict) -> None:
        """Keep what was found, unless it is so much that it would weigh more than it saves."""
        if len(verdict) > WEIGHT_MAX:
            return
        if len(self._recent) >= self._most:
            self._older, self._recent = self._recent, {}
        self._recent[key] = verdict


class Verdicts:
    """Scans through a memory. What comes out is what the scanner would have found."""

    __slots__ = ("_memory", "scanner")

    def __init__(self, scanner: Scanner, most: int = TEXTS) -> None:
        self.scanner = scanner
        self._memory: Memory[tuple[str, frozenset[str]]] = Memory(most)

    def known(self, digests: Sequence[str], needs: frozenset[str]) -> list[Verdict | None]:
        """Return what these detectors found in each text, by its digest, where they read it."""
        return [self._memory.known((digest, needs)) for digest in digests]

    def scan(
        self,
        leaves: Sequence[Leaf],
        digests: Sequence[str],
        needs: frozenset[str],
        known: Sequence[Verdict | None],
    ) -> Scan:
        """Return the findings in all leaves; only what is not known is given to the scanner."""
        if sum([len(leaf.text) for leaf in leaves]) > MAX_TEXT:
            return self.scanner.scan(leaves, needs)  # which refuses it, however much is known
        verdicts, failed = list(known), frozenset[str]()
        unread = [index for index, verdict in enumerate(known) if verdict is None]
        if unread:
            scan = self.scanner.scan([leaves[index] for index in unread], needs)
            failed = scan.failed
            for index, verdict in zip(unread, _by_leaf(scan, len(unread)), strict=True):
                verdicts[index] = verdict
                if not failed:
                    self._memory.keep((digests[index], needs), verdict)
        found = [
            finding._replace(leaf=index)
            for index, verdict in enumerate(verdicts)
            for finding in verdict or ()
        ]
        return Scan(tuple(sorted(found, key=_CATEGORY)), failed)  # as the scanner orders them


def _by_leaf(scan: Scan, leaves: int) -> list[Verdict]:
    found: list[list[Finding]] = [[] for _ in range(leaves)]
    for finding in scan.findings:
        found[finding.leaf].append(finding)
    return [tuple(each) for each in found]
