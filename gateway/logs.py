"""Log lines for operators: one JSON object a line on stdout. Never evidence, never a secret."""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Renders a log record with what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in ORDINARY}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class CallLog:
    """Writes the line of each call straight to stdout: a logger would cost more than the rest.

    Lines leave together, `EVERY_S` after the first of them at the latest.
    """

    EVERY_S = 0.05

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: list[bytes] = []

    def write(self, line: dict[str, Any]) -> None:
        """Write one object as one line."""
        if not self._lines:
            asyncio.get_running_loop().call_later(self.EVERY_S, self.flush)
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Let the lines go that wait."""
        lines, self._lines = self._lines, []
        self._stream.write(b"".join(lines))
        self._stream.flush()


def configure(level: int = logging.INFO) -> None:
    """Send every logger of this process through the one handler."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "django", "celery"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # uvicorn writes an access line wherever this logger has a handler, its own or an inherited one.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
