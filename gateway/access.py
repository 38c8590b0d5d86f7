"""Every page says who may open it; one that does not is refused (gateway/middleware.py).

A page for people gets the actor as its second argument. `requires` lets those in who may do the
action somewhere; what they see of it is the selectors' affair.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, ParamSpec
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from audit.actor import Actor
from tenants.models import User
from tenants.permissions import ACTIONS, MATRIX, can, tenants_where
from tenants.selectors import actor_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]
ActorView = Callable[Concatenate[HttpRequest, Actor, P], HttpResponse]

ATTRIBUTE = "permission"


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may open a page: everybody, whoever is signed in, or who may do `detail` somewhere.

    For the first two `detail` says why. A resource of the management API lets in whom its method's
    `access` lets in; `detail` names the action of each method.
    """

    kind: Literal["public", "signed in", "action", "api"]
    detail: str


class MayNotError(PermissionDenied):
    """The actor may do an action nowhere; `roles` are those that would allow it."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action
        self.roles = sorted(role for role, actions in MATRIX.items() if action in actions)


def public(why: str) -> Callable[[View[P]], View[P]]:
    """Declare a page that everybody may open."""

    def declare(view: View[P]) -> View[P]:
        setattr(view, ATTRIBUTE, Permission("public", why))
        return view

    return declare


def signed_in(why: str) -> Callable[[ActorView[P]], View[P]]:
    """Declare a page for whoever is signed in; others are sent to sign in."""
    return _declared(Permission("signed in", why))


def requires(action: str) -> Callable[[ActorView[P]], View[P]]:
    """Declare a page for people who may do `action` in at least one tenant."""
    if action not in ACTIONS:
        raise ValueError(f"{action} is no action that tenants/permissions.py knows")
    return _declared(Permission("action", action))


def check(actor: Actor, action: str, on: models.Model | None) -> None:
    """Raise MayNotError unless the actor may do this to the object; None is the platform."""
    if not can(actor, action, on):
        raise MayNotError(action)


def permission_of(view: Callable[..., Any]) -> Permission | None:
    """Return what a page declared."""
    declared = getattr(view, ATTRIBUTE, None)
    return declared if isinstance(declared, Permission) else None


def _declared(permission: Permission) -> Callable[[ActorView[P]], View[P]]:
    def declare(view: ActorView[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            user = request.user
            if not isinstance(user, User):
                return _to_sign_in(request)
            actor = actor_of(user, request.META.get("REMOTE_ADDR", ""))
            request.actor = actor  # type: ignore[attr-defined]  # the frame shows what they may do
            if (
                permission.kind == "action"
                and tenants_where(actor, permission.detail) == frozenset()
            ):
                raise MayNotError(permission.detail)
            return view(request, actor, *args, **kwargs)

        setattr(guarded, ATTRIBUTE, permission)
        return guarded

    return declare


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    back = request.get_full_path() if request.method in ("GET", "HEAD") else ""
    query = f"?{urlencode({'next': back})}" if back and back != "/" else ""
    return redirect(reverse("sign_in") + query)
