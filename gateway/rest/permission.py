"""Whether the caller may: what the endpoint declares, the matrix, and the token's scopes.

Views are `Any` here: the framework loads this module before its own views.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.http import Http404
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from audit.rest.access import Access, Caller
from audit.rest.problems import Problem
from gateway.access import MayNotError
from tenants.models import Tenant
from tenants.permissions import can, tenants_where


class Allowed(BasePermission):
    """Closed unless the method declares its access and the caller has it.

    Where the address names an object, whether it is there for the caller comes first: a stranger
    cannot tell by a 403 that it exists.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Refuse whoever may do this nowhere, and tokens that are not for it."""
        if not isinstance(request.auth, Caller):
            return False
        methods = getattr(view, "action_map", {}).values()
        if methods and view.action not in methods:
            return True  # no such method: the answer is 405, whoever asks
        access = declared(view)
        if access is None:
            return False
        _check_scope(request.auth, access)
        if not view.detail:
            _check_somewhere(request.auth, access)
        return True

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        """Refuse whoever may read the object but not do this to it."""
        access = declared(view)
        if access is None or not isinstance(request.auth, Caller):
            raise Http404
        if request.method in SAFE_METHODS:
            return True  # it was found among what the actor may read
        actor = request.auth.actor
        if isinstance(obj, Tenant) or hasattr(obj, "tenant_id"):
            if not any(can(actor, action, obj) for action in (access.action, *access.others)):
                raise may_not(access.action)
        else:
            _check_somewhere(request.auth, access)
        return True


def declared(view: Any) -> Access | None:
    """Return what the view's method declares."""
    access: Mapping[str, Access] = getattr(view, "access", {})
    return access.get(view.action)


def may_not(action: str) -> Problem:
    """Return the problem of an actor whose roles do not include an action."""
    roles = ", ".join(MayNotError(action).roles) or "the owner of the installation only"
    return Problem(
        HTTPStatus.FORBIDDEN,
        f"It takes the permission {action}, which you do not have here. Roles that include it:"
        f" {roles}.",
        more={"permission": action},
    )


def _check_scope(caller: Caller, access: Access) -> None:
    if caller.scopes is not None and access.scope not in caller.scopes:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"The token lacks the scope {access.scope}.",
            headers={
                "WWW-Authenticate": f'Bearer realm="gatehouse", error="insufficient_scope",'
                f' scope="{access.scope}"'
            },
            more={"scope": access.scope},
        )


def _check_somewhere(caller: Caller, access: Access) -> None:
    actions = (access.action, *access.others)
    if all(tenants_where(caller.actor, action) == frozenset() for action in actions):
        raise may_not(access.action)
