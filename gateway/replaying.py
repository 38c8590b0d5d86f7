"""Proving the decisions of a range: what `manage.py audit replay` does."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit.decided import Range, decided
from gateway.calls.proof import Archive, Proof, Prover
from gateway.calls.ruling import Version
from gateway.selectors import versions_named


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found, and how long it took."""

    proof: Proof
    seconds: float

    @property
    def records_per_minute(self) -> int:
        """How many records a minute were gone through."""
        return round(self.proof.records / self.seconds * 60) if self.seconds else 0


def archive() -> Archive:
    """Return the archive of the stored policy versions."""
    return Archive(_versions)


def replay(database_url: str, of: Range, progress: Callable[[int], None] | None = None) -> Replayed:
    """Decide every recorded call of a range again, and compare."""
    began_s, prover = time.monotonic(), Prover(archive())
    with decided(database_url, of) as records:
        for batch in records.batches():
            prover.take(batch)
            if progress is not None:
                progress(prover.proof.records)
    return Replayed(prover.proof, time.monotonic() - began_s)


def _versions(labels: Sequence[str]) -> list[Version]:
    return [
        Version(row.policy.name, row.number, row.source, row.canonical)
        for row in versions_named(labels)
    ]
