"""Records and money of many calls: the data plane's own statement, in large batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import psycopg

from gateway.proxy.evidence.writer import WRITE, plain

Row = Mapping[str, Any]
"""One row as `record_values` makes it, with what `add_claim` adds, or `cost_pico`."""


class Book:
    """One connection that writes evidence. It waits for no disk: what a crash takes is made again.

    Admissions and completions are kept apart: in one statement a completion would not see the hold
    of its admission.
    """

    def __init__(self, database_url: str) -> None:
        self._connection = psycopg.connect(
            database_url,
            autocommit=True,
            cursor_factory=psycopg.RawCursor,
            options="-c synchronous_commit=off",
            application_name="gatehouse-demo",
        )

    def __enter__(self) -> "Book":
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows of which none completes what another admits.

        Raises ValueError where PostgreSQL refused a claim: its epoch is over, or it is taken.
        """
        if not rows:
            return
        document = orjson.dumps(rows, default=plain).decode()
        refused = self._connection.execute(WRITE, [document]).fetchall()
        if refused:
            raise ValueError(f"{len(refused)} claims were refused")
