"""The theme: the browser keeps it, so that no page flashes and none needs a script for it."""

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from audit.actor import Actor
from gateway.access import signed_in
from gateway.shell import THEME_COOKIE, THEMES
from gateway.views.sign_in import own_path

AGE_S = 400 * 24 * 3600
"""As long as browsers keep a cookie."""


@signed_in("a look is everybody's own affair")
@require_POST
def choose(request: HttpRequest, _actor: Actor) -> HttpResponse:
    """Keep the theme, and go back to where it was chosen."""
    theme = request.POST.get("theme", "")
    if theme not in THEMES:
        raise BadRequest("there is no such theme")
    response = redirect(own_path(request.POST.get("next", "")))
    response.set_cookie(
        THEME_COOKIE,
        theme,
        max_age=AGE_S,
        secure=settings.SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
