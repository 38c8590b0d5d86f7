"""What a person sees instead of the page: what happened, and what to do next."""

import logging
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from audit.rest import problems
from audit.rest.problems import Problem
from gateway.access import MayNotError

log = logging.getLogger(__name__)

FOR_PEOPLE = ("/api/docs",)
FOR_PROGRAMS = ("/api/", "/o/token", "/o/introspect", "/o/revoke")


def explain(request: HttpRequest, status: HTTPStatus, title: str, *paragraphs: str) -> HttpResponse:
    """Return a page that explains itself; it needs neither a session nor the database.

    Programs, which call the management API, get a problem body instead.
    """
    is_for_people = request.path.startswith(FOR_PEOPLE)
    if request.path.startswith(FOR_PROGRAMS) and not is_for_people:
        return problems.plain(Problem(status, " ".join(paragraphs)), _id_of(request))
    content = {
        "status": status.value,
        "title": title,
        "paragraphs": paragraphs,
        "request_id": request.META.get("REQUEST_ID", ""),
    }
    # A part of a page takes a part: htmx puts refusals where the answer would have stood.
    name = "gateway/_refusal.html" if request.headers.get("HX-Request") else "gateway/error.html"
    response = HttpResponse(render_to_string(name, content), status=status)
    response["Vary"] = "HX-Request"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be read."""
    return explain(
        request,
        HTTPStatus.BAD_REQUEST,
        "This request cannot be read",
        "Something in it is not what it should be. If you followed a link, it may be incomplete.",
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a person who may not do this, and say who can change that."""
    paragraphs = ["Your account does not allow this."]
    if isinstance(exception, MayNotError):
        paragraphs = [
            f"It takes the permission {exception.action}, which none of your roles includes.",
            _who_may(exception.roles),
        ]
    return explain(request, HTTPStatus.FORBIDDEN, "You may not open this page", *paragraphs)


def forgery(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose proof of origin is missing or old."""
    log.warning("forgery_refused", extra={"reason": reason, "request_id": _id_of(request)})
    return explain(
        request,
        HTTPStatus.FORBIDDEN,
        "This form could not be accepted",
        "It was opened too long ago, or cookies are blocked, or it was sent from another site.",
        "Go back, reload the page and send the form again.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for what does not exist, or not for this person: nobody can tell which."""
    return explain(
        request,
        HTTPStatus.NOT_FOUND,
        "There is nothing here",
        "The address may be mistyped, or what it names may not be yours to see.",
    )


def broken(request: HttpRequest) -> HttpResponse:
    """Answer where we failed, with an id that the log has too."""
    # Called while the exception is handled.
    log.exception(  # noqa: LOG004
        "page_failed", extra={"path": request.path, "request_id": _id_of(request)}
    )
    return explain(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on our side",
        "The page could not be made. It was logged under the request id below;"
        " try again, and tell whoever runs Gatehouse if it stays so.",
    )


def _who_may(roles: list[str]) -> str:
    if not roles:
        return "Only the owner of the installation may do it."
    names = ", ".join(role.replace("_", " ") for role in roles)
    return f"These roles do: {names}. An owner or admin of your tenant can grant one."


def _id_of(request: HttpRequest) -> str:
    return str(request.META.get("REQUEST_ID", ""))
