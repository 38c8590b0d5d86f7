"""The first page: what is left to set up, or the first place where the person may go."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit.actor import Actor
from gateway import finding, navigation, onboarding
from gateway.access import signed_in


@signed_in("leads to the first page")
@require_safe
def home(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the checklist while it is the person's affair and incomplete, or go on."""
    onward = navigation.first(actor) or reverse("calls")
    if not onboarding.sets_up(actor):
        return redirect(onward)
    steps = onboarding.steps(actor)
    is_part = bool(request.headers.get("HX-Request"))
    if all(step.is_done for step in steps) and not is_part:
        return redirect(onward)
    content = {
        "steps": steps,
        "done": sum(step.is_done for step in steps),
        "waits": any(step.is_live and not step.is_done for step in steps),
        "onward": onward,
    }
    return render(request, "console/home.html" + ("#steps" if is_part else ""), content)


@signed_in("finds what the selectors let one see")
@require_safe
def find(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Answer the palette with the things of a name, as items of its list."""
    content = {"found": finding.find(actor, request.GET.get("q", ""))}
    return render(request, "console/_found.html", content)
