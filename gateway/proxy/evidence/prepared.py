"""One prepared statement on one connection, driven by libpq's own asynchronous calls.

A cursor costs three times what the rest of a batch costs; the writer runs one statement for ever,
so it speaks to libpq (through psycopg's `pq`, its documented low level) and to nothing between.
"""

import asyncio
from typing import Any

import psycopg
from psycopg import errors, pq

NAME = b"gatehouse"
DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class Prepared:
    """A statement with one text parameter. One run at a time; a run that was cancelled, or a
    connection that broke, ends it: every later run raises OperationalError."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._socket = self._pg.socket
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] | None = None
        self._broken: psycopg.Error | None = None
        self._watched = True
        self._loop.add_reader(self._socket, self._readable)

    @classmethod
    async def connect(
        cls, url: str, statement: str, *, options: str, application_name: str
    ) -> "Prepared":
        """Open a connection and prepare `statement` on it."""
        connection = await psycopg.AsyncConnection.connect(
            url, autocommit=True, options=options, application_name=application_name
        )
        connection.pgconn.nonblocking = 1
        prepared = cls(connection)
        try:
            prepared._pg.send_prepare(NAME, statement.encode())
            await prepared._result()
        except BaseException:
            await prepared.close()
            raise
        return prepared

    async def run(self, parameter: bytes) -> list[tuple[bytes, ...]]:
        """Run the statement; return its rows as text, or raise psycopg's error."""
        if self._broken is not None:
            raise self._broken
        try:
            self._pg.send_query_prepared(NAME, [parameter])
            result = await self._result()
        except asyncio.CancelledError:
            self._broken = psycopg.OperationalError("a run was cancelled")
            raise
        return [
            tuple(result.get_value(row, column) or b"" for column in range(result.nfields))
            for row in range(result.ntuples)
        ]

    async def close(self) -> None:
        """Close the connection."""
        self._unwatch()
        await self._connection.close()

    async def _result(self) -> pq.abc.PGresult:
        self._ready = self._loop.create_future()
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._writable)
        await self._ready
        result = self._pg.get_result()
        while self._pg.get_result() is not None:
            pass
        if result is None:
            raise psycopg.OperationalError("PostgreSQL gave no result")
        if result.status not in DONE:
            raise errors.error_from_result(result)
        return result

    def _readable(self) -> None:
        try:
            self._pg.consume_input()
            if self._ready is not None and not self._pg.is_busy():
                self._settle(None)
        except psycopg.Error as error:
            self._settle(error)

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error as error:
            self._settle(error)

    def _settle(self, error: psycopg.Error | None) -> None:
        if error is not None:
            self._broken = error
            self._unwatch()
        if self._ready is not None and not self._ready.done():
            if error is None:
                self._ready.set_result(None)
            else:
                self._ready.set_exception(error)

    def _unwatch(self) -> None:
        """Let go of the socket, once: libpq closes it when the connection breaks, and its number
        may be another connection's by the next turn of the loop.
        """
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
