"""How many rows an export would hold: counted by what would write it, as far as a page may wait."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import NamedTuple

import psycopg

from audit.exports.rows import Rows
from audit.exports.wanted import ExportWanted

ROWS_MOST = 10_000
LOOKED_AT_MOST = 40_000
PATIENCE_MS = 2000


class Counted(NamedTuple):
    """Rows of one kind that were counted; `is_all` where there are no more of them."""

    kind: str
    rows: int
    is_all: bool


def preview(
    database_url: str,
    tenant_id: uuid.UUID,
    wanted: ExportWanted,
    rows_most: int = ROWS_MOST,
    looked_at_most: int = LOOKED_AT_MOST,
) -> list[Counted]:
    """Count the rows of each kind; stop where a bound is met, and say so."""
    options = f"-c timezone=UTC -c statement_timeout={PATIENCE_MS}"
    with psycopg.connect(
        database_url, application_name="gatehouse-preview", options=options
    ) as connection:
        rows = Rows(connection, tenant_id, wanted)
        return [
            _counted(connection, kind, rows.lines(kind), rows_most, looked_at_most)
            for kind in wanted.kinds
        ]


def _counted(
    connection: psycopg.Connection,
    kind: str,
    batches: Iterator[tuple[int, list[str]]],
    rows_most: int,
    looked_at_most: int,
) -> Counted:
    found = looked_at = 0
    try:
        with contextlib.closing(batches):  # type: ignore[type-var]  # a generator
            for looked_at_now, lines in batches:
                found, looked_at = found + len(lines), looked_at + looked_at_now
                if found > rows_most or looked_at > looked_at_most:
                    return Counted(kind, min(found, rows_most), is_all=False)
    except psycopg.errors.QueryCanceled:
        connection.rollback()
        return Counted(kind, found, is_all=False)
    return Counted(kind, found, is_all=True)
