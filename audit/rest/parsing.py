"""Reading a body: JSON, of bounded size and depth, without what the database cannot hold."""

import codecs
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from audit.rest.fields import unfit
from audit.rest.problems import Problem

BODY_MAX = 1 << 20
DIGITS_MAX = 40


class JSONBody(BaseParser):
    """Parses JSON; a name that stands twice, NaN and infinite numbers are refused."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the value; raise ParseError or a problem."""
        raw = stream.read(BODY_MAX + 1)
        if len(raw) > BODY_MAX:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has at most {BODY_MAX} bytes."
            )
        if raw.startswith(codecs.BOM_UTF8):
            raise ParseError("The body begins with a byte order mark.")
        try:
            value = json.loads(
                raw.decode("utf-8"),
                parse_constant=_refuse_constant,
                parse_int=_whole,
                object_pairs_hook=_once_each,
            )
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not JSON: {error}") from None
        if next(unfit(value), None) is not None:
            raise ParseError("A text holds U+0000 or half of a surrogate pair.")
        return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _whole(digits: str) -> int:
    if len(digits) > DIGITS_MAX:
        raise ValueError("a number is too long")
    return int(digits)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return found
