"""The OpenAPI document of the management API: the same for everybody, drawn once a process."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from drf_spectacular.generators import SchemaGenerator

from gateway.access import public
from gateway.rest.methods import methods


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    drawn: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return drawn


@public("it is the same in every installation")
@methods("GET", "HEAD")
def schema(_request: HttpRequest) -> HttpResponse:
    """Answer with the document."""
    return JsonResponse(document())
