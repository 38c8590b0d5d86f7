"""Pages by key: a cursor says after which row a page begins: none is missed, none doubled."""

import base64
import binascii
import json
from http import HTTPStatus
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit.rest.fields import unfit
from audit.rest.problems import Problem

SIZE = 50
SIZE_MAX = 200
CURSOR_MAX = 400
PARAMETERS = ("cursor", "limit")


def limit(request: Request) -> int:
    """Return how many rows a page has at most."""
    text = request.query_params.get("limit", str(SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= SIZE_MAX):  # noqa: PLR2004
        raise _bad("limit", f"a page has 1 to {SIZE_MAX} rows")
    return int(text)


def cursor(values: list[Any]) -> str:
    """Return the text that stands for the position after the row with these key values."""
    text = json.dumps(values, default=_plain, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def position(request: Request, size: int) -> list[Any] | None:
    """Return the key values that the request's cursor stands for; None for the first page."""
    text = request.query_params.get("cursor")
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw) if len(text) <= CURSOR_MAX else None
    except (ValueError, binascii.Error, RecursionError):
        raise bad_cursor() from None
    if not isinstance(values, list) or len(values) != size or any(unfit(values)):
        raise bad_cursor()
    return values


def following(request: Request, after: list[Any]) -> str:
    """Return the address of the page after a row, with everything else that was asked for."""
    query = request.query_params.copy()
    query["cursor"] = cursor(after)
    return f"{request.path}?{query.urlencode()}"


def bad_cursor() -> Problem:
    """Return the problem of a cursor that none of our answers had."""
    return _bad("cursor", "this is no cursor that an answer gave out for this list")


class ByKey(BasePagination):
    """Pages a query set in the resource's order, all keys of it up or all down."""

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        """Return the rows of the page that the request asks for."""
        order: tuple[str, ...] = view.order  # type: ignore[union-attr]
        names = [name.lstrip("-") for name in order]
        size, after = limit(request), position(request, len(order))
        rows = queryset.order_by(*order)
        if after is not None:
            rows = rows.filter(
                _beyond(queryset, names, after, "lt" if order[0][0] == "-" else "gt")
            )
        found = list(rows[: size + 1])
        self._next = None
        if len(found) > size:
            last = found[size - 1]
            self._next = following(request, [getattr(last, name) for name in names])
        return found[:size]

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page."""
        return Response({"results": data, "next": self._next})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {"type": "string", "nullable": True, "format": "uri-reference"},
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        """Describe what chooses the page."""
        sizes = {"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE}
        return [
            {
                "name": "cursor",
                "in": "query",
                "schema": {"type": "string", "maxLength": CURSOR_MAX},
                "description": "Where the page begins: as `next` of the page before says.",
            },
            {"name": "limit", "in": "query", "schema": sizes},
        ]


def _beyond(rows: QuerySet[Any], names: list[str], after: list[Any], side: str) -> Q:
    beyond, equal = Q(), Q()
    for name, given in zip(names, after, strict=True):
        value = _parsed(rows, name, given)
        beyond |= equal & Q(**{f"{name}__{side}": value})
        equal &= Q(**{name: value})
    return beyond


def _parsed(rows: QuerySet[Any], name: str, given: Any) -> Any:
    try:
        column = rows.model._meta.get_field(name)  # noqa: SLF001  (documented by Django)
        value = column.clean(given, None) if isinstance(given, str | int) else None
    except (ValidationError, FieldDoesNotExist, OverflowError, TypeError, ValueError):
        raise bad_cursor() from None
    if value is None or isinstance(given, bool):
        raise bad_cursor()
    return value


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _bad(name: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST,
        f"The parameter {name} cannot be read.",
        [{"field": name, "message": message}],
    )
