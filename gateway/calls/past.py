"""Recorded calls as a back-test takes them: the facts of each, and what was looked for then."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import orjson

from audit.decided import Row
from audit.outcome import LAST_WORD
from audit.record import instant
from gateway.calls.proof import Archive
from gateway.calls.ruling import CannotRebuildError, slots_of
from policies.pdp.backtest import Facts, Lacking, Past, Seen
from policies.pdp.tally import Caller

SEEN_MAX = 512
JUDGED = frozenset({"policy_denied", "detector_failed", "obligation_unenforceable"})
"""Codes of what the policy refused, a request or an answer."""

UNDECIDED = Lacking(("(nothing was decided, or its admission is not in evidence)",))
UNREADABLE = Lacking(("(its record does not have the shape of one)",))

Remembered = tuple[UUID | None, Caller, Past | Lacking]


def calls(batches: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    """Yield the records of each call; they come in the order of the calls."""
    rows = (row for batch in batches for row in batch)
    for _, of_call in groupby(rows, key=attrgetter("call_id")):
        yield list(of_call)


class Reader:
    """Reads calls; what was looked for under a set of policies is worked out once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._seen: dict[tuple[object, ...], Seen | Lacking] = {}

    def read(self, rows: Sequence[Row]) -> Remembered:
        """Return the app of a call, what it is grouped by, and its facts or why there are none."""
        last = min(rows, key=lambda row: (-row.attempt, LAST_WORD.index(row.kind)))
        deciding = last if last.kind == "refused" else _admission(rows)
        if deciding is None:
            return last.app_id, _caller(last, last, {}, 0), UNDECIDED
        spent = sum(row.cost_micros or 0 for row in rows)
        body: Mapping[str, Any] = {}
        try:
            body = orjson.loads(deciding.body)
            caller = _caller(deciding, last, body, spent)
            return deciding.app_id, caller, self._past(deciding, body, rows)
        except (AttributeError, KeyError, TypeError, ValueError):
            return deciding.app_id, _caller(deciding, last, {}, spent), UNREADABLE

    def _past(self, deciding: Row, body: Mapping[str, Any], rows: Sequence[Row]) -> Past | Lacking:
        if "decision" not in body or "facts" not in body:
            return UNDECIDED
        seen = self._seen_then(body)
        if isinstance(seen, Lacking):
            return seen
        end = next((row for row in rows if _ends(row, deciding)), None)
        return Past(
            seen=seen,
            at_s=instant(deciding.call_id).timestamp(),
            request=_facts(body),
            answer=None if end is None else _answer(end),
            answered=end is not None and (not end.code or end.code in JUDGED),
        )

    def _seen_then(self, body: Mapping[str, Any]) -> Seen | Lacking:
        name = (body.get("facts_schema"), body.get("policy_hash"), *body.get("policies", ()))
        found = self._seen.get(name)
        if found is None:
            if len(self._seen) >= SEEN_MAX:
                self._seen.clear()
            try:
                found = self._archive.seen(body)
            except CannotRebuildError as error:
                found = Lacking((f"({error})",))
            self._seen[name] = found
        return found


def _admission(rows: Sequence[Row]) -> Row | None:
    admitted = [row for row in rows if row.kind == "admitted"]
    return admitted[-1] if admitted else None


def _ends(row: Row, deciding: Row) -> bool:
    return row.kind == "completed" and row.attempt == deciding.attempt


def _answer(end: Row) -> Facts | None:
    """Return the facts of an answer that was judged."""
    if '"decision"' not in end.body:
        return None
    body = orjson.loads(end.body)
    return _facts(body) if "decision" in body and "facts" in body else None


def _facts(body: Mapping[str, Any]) -> Facts:
    return Facts(slots_of(body["facts"]), frozenset(body.get("failed", ())))


def _caller(of: Row, last: Row, body: Mapping[str, Any], micros: int) -> Caller:
    elsewhere = last.code if last.kind == "refused" and last.code not in JUDGED else ""
    return Caller(
        id=str(of.call_id),
        at=instant(of.call_id).isoformat(timespec="milliseconds"),
        app=str(body.get("app") or of.app_id or ""),
        key=of.key_id,
        model=of.model,
        elsewhere=elsewhere,
        currency=str(body.get("currency", "")),
        micros=micros,
    )
