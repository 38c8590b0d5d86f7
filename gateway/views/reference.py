"""The reference of the management API: its OpenAPI document, for people."""

from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway.access import signed_in
from gateway.pages import Crumb
from gateway.reference import Noun, nouns
from gateway.views.schema import document

WHY = "what the API offers is the same for everybody"


@cache
def _nouns() -> tuple[Noun, ...]:
    return nouns(document())


@signed_in(WHY)
@require_safe
def page(request: HttpRequest, _actor: Actor) -> HttpResponse:
    """List every operation by noun."""
    return render(request, "gateway/reference.html", {"nouns": _nouns()})


@signed_in(WHY)
@require_safe
def show(request: HttpRequest, _actor: Actor, noun: str) -> HttpResponse:
    """Show the operations of one noun in full."""
    found = next((each for each in _nouns() if each.name == noun), None)
    if found is None:
        raise Http404
    crumbs = [Crumb("API reference", reverse("reference"))]
    return render(request, "gateway/reference_noun.html", {"noun": found, "crumbs": crumbs})
