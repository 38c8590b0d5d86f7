"""Which methods an address takes that no resource makes; another is refused as a problem."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from audit.rest.problems import Problem, plain
from gateway.access import P, View

SAFE = frozenset({"GET", "HEAD"})


def methods(*allowed: str) -> Callable[[View[P]], View[P]]:
    """Refuse every other method than these."""

    def bound(view: View[P]) -> View[P]:
        @wraps(view)
        def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method in allowed:
                return view(request, *args, **kwargs)
            problem = Problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"This address takes {' and '.join(allowed)}.",
                headers={"Allow": ", ".join(allowed)},
            )
            return plain(problem, str(request.META.get("REQUEST_ID", "")))

        # What writes nothing needs no proof of origin to be refused as what it is.
        checked.csrf_exempt = SAFE.issuperset(allowed) or getattr(view, "csrf_exempt", False)  # type: ignore[attr-defined]
        return checked

    return bound
