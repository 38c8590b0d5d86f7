"""One shape in which the management API says no: problem details as in RFC 9457."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, ObjectDoesNotExist, SuspiciousOperation
from django.core.exceptions import PermissionDenied as MayNot
from django.core.exceptions import ValidationError as Invalid
from django.db import DataError, IntegrityError
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

MEDIA_TYPE = "application/problem+json"
KIND = "urn:gatehouse:problem:"
SPECIFIC = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.PRECONDITION_FAILED: "changed-meanwhile",
    HTTPStatus.PRECONDITION_REQUIRED: "if-match-missing",
}
"""Statuses whose problem is narrower than their phrase."""

Faults = list[dict[str, str]]


@dataclass
class Problem(Exception):
    """What cannot be done, and why; `more` are members of the body besides the usual ones."""

    status: HTTPStatus
    detail: str
    errors: Faults = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the members of a problem body."""
    status = problem.status
    return {
        "type": KIND + SPECIFIC.get(status, status.phrase.lower().replace(" ", "-")),
        "title": status.phrase,
        "status": status.value,
        "detail": problem.detail,
        "errors": problem.errors,
        "request_id": request_id,
        **problem.more,
    }


def plain(problem: Problem, request_id: str) -> HttpResponse:
    """Return the answer where no view of the management API was reached."""
    return JsonResponse(
        body(problem, request_id),
        status=problem.status,
        headers={"Cache-Control": "no-store", **problem.headers},
        content_type=MEDIA_TYPE,
    )


def handle(fault: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the answer to what a view raised; None for a fault of ours, which Django answers."""
    problem = _problem(fault)
    if problem is None:
        return None
    request_id = str(context["request"].META.get("REQUEST_ID", ""))
    return Response(
        body(problem, request_id),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=MEDIA_TYPE,
    )


def _problem(fault: Exception) -> Problem | None:
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, ValidationError):
        return _invalid(list(_flat(fault.detail, "")))
    if isinstance(fault, APIException):
        return _of_framework(fault)
    if isinstance(fault, Invalid):
        return _invalid(list(_named(fault)))
    return _of_django(fault)


def _invalid(errors: Faults) -> Problem:
    return Problem(
        HTTPStatus.BAD_REQUEST, "Something in the request is not what it should be.", errors
    )


def _of_framework(fault: APIException) -> Problem:
    headers: dict[str, str] = {}
    challenge = getattr(fault, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait_s = getattr(fault, "wait", None)
    if wait_s:
        headers["Retry-After"] = str(int(wait_s))
    return Problem(HTTPStatus(fault.status_code), str(fault.detail), headers=headers)


def _of_django(fault: Exception) -> Problem | None:
    if isinstance(fault, Http404 | ObjectDoesNotExist):
        return Problem(
            HTTPStatus.NOT_FOUND, "There is nothing here, or nothing that is yours to see."
        )
    if isinstance(fault, MayNot):
        action = getattr(fault, "action", None)
        more = {} if action is None else {"permission": action}
        return Problem(HTTPStatus.FORBIDDEN, str(fault) or "You may not do this.", more=more)
    if isinstance(fault, IntegrityError):
        return Problem(HTTPStatus.CONFLICT, "This clashes with what is stored: read it again.")
    if isinstance(fault, DataError | BadRequest | SuspiciousOperation):
        return Problem(HTTPStatus.BAD_REQUEST, "Something in the request cannot be read.")
    return None


def _named(fault: Invalid) -> Iterator[dict[str, str]]:
    if not hasattr(fault, "error_dict"):
        yield from ({"field": "", "message": message} for message in fault.messages)
        return
    for name, messages in fault.message_dict.items():
        where = "" if name == "__all__" else name
        yield from ({"field": where, "message": message} for message in messages)


def _flat(detail: object, where: str) -> Iterator[dict[str, str]]:
    """Walk what the framework says of a body: by field, by place in a list, or of all of it."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            yield from _flat(inner, f"{where}.{step}".strip("."))
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            if inner:
                yield from _flat(inner, f"{where}.{place}".strip(".") if nested else where)
    else:
        yield {"field": where, "message": str(detail)}
