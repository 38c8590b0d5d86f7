"""Judging a tenant's recorded calls under another policy: what a back-test does."""

import time
import uuid
from collections.abc import Callable
from typing import Any

from audit.decided import Range, decided
from gateway.calls.past import Reader, calls
from gateway.guards.published import phases
from gateway.replaying import archive
from policies.pdp.backtest import Comparison, Lacking
from policies.pdp.request import Phase
from policies.pdp.tally import Tally
from policies.substitution import Substitution

Progress = Callable[[int, int], None]
APPS_MAX = 500
"""So many apps' policies are kept compiled at once."""


class Backtester:
    """Takes recorded calls, in their order, and sums up what would be otherwise.

    `guarded` are the phases whose texts guards of the tenant are asked about.
    """

    def __init__(self, substitution: Substitution, guarded: frozenset[Phase]) -> None:
        self.tally = Tally()
        self._substitution = substitution
        self._guarded = guarded
        self._reader = Reader(archive())
        self._by_app: dict[uuid.UUID | None, Comparison] = {}
        self._path_dependent: set[str] = set()
        self._labels: set[str] = set()

    def take(self, rows: Any) -> None:
        """Judge one call, given all its records."""
        app_id, caller, past = self._reader.read(rows)
        if isinstance(past, Lacking):
            self.tally.add(caller, past)
        else:
            self.tally.add(caller, self._comparison(app_id).compare(past))

    def written(self) -> dict[str, Any]:
        """Return the sum as JSON."""
        return self.tally.written() | {
            "path_dependent": sorted(self._path_dependent),
            "before": sorted(self._labels),
        }

    def _comparison(self, app_id: uuid.UUID | None) -> Comparison:
        found = self._by_app.get(app_id)
        if found is None:
            if len(self._by_app) >= APPS_MAX:
                self._by_app.clear()
            before, after = self._substitution.before(app_id), self._substitution.after(app_id)
            found = self._by_app[app_id] = Comparison(before, after, self._guarded)
            self._path_dependent.update(found.path_dependent)
            self._labels.update(before.labels)
        return found


def backtest(
    database_url: str, of: Range, substitution: Substitution, progress: Progress | None = None
) -> dict[str, Any]:
    """Return what would be otherwise for the calls of a range, as JSON of bounded size."""
    began_s, tester = time.monotonic(), Backtester(substitution, phases(of.tenant_id))
    with decided(database_url, of) as records:
        total, done = records.count(), 0
        for rows in calls(records.batches()):
            tester.take(rows)
            done += len(rows)
            if progress is not None:
                progress(done, total)
    seconds = time.monotonic() - began_s
    return tester.written() | {
        "records": done,
        "seconds": round(seconds, 3),
        "records_per_minute": round(done / seconds * 60) if seconds else 0,
    }
