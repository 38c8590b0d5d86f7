"""What a person may do in the control plane: one matrix, one question. Denied unless listed.

An action is the name of a service with a dot before its verb, or a read. Platform actions belong to
the owner of the installation; the others are given by a role in the tenant that the object is of.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import models

from audit.actor import EVIDENCE_READERS, Actor
from tenants.models import Role, Tenant

PLATFORM_ACTIONS = frozenset(
    {
        "credential.remove",
        "credential.set",
        "deployment.create",
        "deployment.remove",
        "deployment.update",
        "platform.read",
        "policy.retire",
        "policy_emergency.expire",
        "price.set",
        "price.withdraw",
        "price_book.refresh",
        "provider.create",
        "provider.remove",
        "provider.test",
        "provider.update",
        "route.create",
        "route.remove",
        "route.update",
        "schedule.perform",
        "service.create",
        "service.remove",
        "service.update",
        "service_credential.remove",
        "service_credential.set",
        "tenant.create",
        "tenant.remove",
        "tenant.resume",
        "tenant.suspend",
        "user.remove",
    }
)
"""What concerns every tenant at once, or a tenant's existence."""

_READS = frozenset(
    {
        "app.read",
        "budget.read",
        "guard.read",
        "membership.read",
        "oauth_application.read",
        "policy.read",
        "rate_limit.read",
        "tenant.read",
        "usage.read",
        "virtual_key.read",
    }
)
_EVIDENCE = frozenset(
    {
        "call.explain",
        "event.read",
        "export.create",
        "export.download",
        "export.read",
        "mark.create",
        "record.read",
    }
)
_JOBS = frozenset({"job.cancel", "job.create", "job.read"})
_KEYS = frozenset({"virtual_key.issue", "virtual_key.revoke", "virtual_key.rotate"})
_BACKTESTS = frozenset({"backtest.cancel", "backtest.create", "backtest.read"})
_POLICY_DRAFTS = _BACKTESTS | frozenset(
    {
        "draft.create",
        "draft.discard",
        "draft.update",
        "policy.create",
        "policy.import",
        "policy_version.freeze",
        "review.request",
        "review.withdraw",
    }
)
_POLICY_RELEASES = frozenset(
    {
        "exemption.approve",
        "exemption.grant",
        "exemption.revoke",
        "policy.activate",
        "policy.attach",
        "policy.detach",
        "policy_detach.withdraw",
        "policy.publish",
        "policy.rollback",
        "review.approve",
        "review.reject",
        "rollout.promote",
        "rollout.start",
        "rollout.stop",
        "rollout.update",
        "schedule.cancel",
        "schedule.create",
    }
)
_EMERGENCIES = frozenset({"policy_emergency.publish"})
_CONFIGURATION = frozenset(
    {
        "app.create",
        "app.remove",
        "app.resume",
        "app.suspend",
        "app.update",
        "budget.create",
        "budget.remove",
        "budget.update",
        "cache.purge",
        "guard.create",
        "guard.remove",
        "guard.test",
        "guard.update",
        "guard_secret.retire",
        "guard_secret.set",
        "membership.grant",
        "membership.revoke",
        "oauth_application.create",
        "oauth_application.remove",
        "oauth_application.rotate",
        "rate_limit.create",
        "rate_limit.remove",
        "rate_limit.update",
        "tenant.update",
        "user.create",
    }
)
_OWNERSHIP = frozenset(
    {
        "membership.grant_owner",
        "membership.revoke_owner",
        "review_rule.set",
        "review_rule.unset",
    }
)
_ADMINISTRATION = (
    _READS
    | _EVIDENCE
    | _JOBS
    | _KEYS
    | _POLICY_DRAFTS
    | _POLICY_RELEASES
    | _EMERGENCIES
    | _CONFIGURATION
)

MATRIX: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Role.OWNER: _ADMINISTRATION | _OWNERSHIP,
        Role.ADMIN: _ADMINISTRATION,
        Role.POLICY_AUTHOR: frozenset({"tenant.read", "app.read", "policy.read"}) | _POLICY_DRAFTS,
        Role.APPROVER: frozenset({"tenant.read", "app.read", "policy.read"})
        | _POLICY_RELEASES
        | _BACKTESTS,
        Role.KEY_MANAGER: frozenset({"tenant.read", "app.read", "virtual_key.read"}) | _KEYS,
        Role.ANALYST: frozenset({"tenant.read", "app.read", "budget.read", "usage.read"}),
        Role.AUDITOR: _READS | _EVIDENCE | {"job.read", "backtest.read"},
        Role.APP_DEVELOPER: frozenset(
            {"tenant.read", "app.read", "budget.read", "rate_limit.read", "virtual_key.read"}
        ),
    }
)
"""What each role may do in its tenant."""

if {role for role, actions in MATRIX.items() if actions & _EVIDENCE} != EVIDENCE_READERS:
    raise ValueError("the matrix and audit.actor.EVIDENCE_READERS disagree on who reads evidence")

TENANT_ACTIONS = frozenset[str]().union(*MATRIX.values())
ACTIONS = PLATFORM_ACTIONS | TENANT_ACTIONS

WITHOUT_TENANT = frozenset({"policy.create", "policy.import", "user.create"})
"""Actions on what belongs to no tenant yet: the role in any tenant gives them."""


class Granted(NamedTuple):
    """An action, and the roles that give it."""

    action: str
    roles: tuple[str, ...]


class LacksError(PermissionDenied):
    """The actor may not do an action to an object."""

    def __init__(self, actor: Actor, action: str) -> None:
        super().__init__(f"{actor.name} may not {action} here")
        self.action = action


def can(actor: Actor, action: str, on: models.Model | None) -> bool:
    """Return whether the actor may do this to the object; None stands for the platform."""
    if action not in ACTIONS:
        return False
    if actor.is_operator or actor.is_superuser:
        return True
    if action in PLATFORM_ACTIONS:
        return False
    tenant_id = _tenant_of(on)
    if tenant_id is not None:
        return _allows(actor.roles_in(str(tenant_id)), action)
    return action in WITHOUT_TENANT and any(
        _allows(roles, action) for roles in actor.memberships.values()
    )


def require(actor: Actor, action: str, on: models.Model | None) -> None:
    """Raise LacksError unless the actor may do this to the object."""
    if not can(actor, action, on):
        raise LacksError(actor, action)


def tenants_where(actor: Actor, action: str) -> frozenset[str] | None:
    """Return the ids of the tenants in which the actor may do this; None stands for all."""
    if action not in ACTIONS:
        return frozenset()
    if actor.is_operator or actor.is_superuser:
        return None
    return frozenset(
        tenant_id for tenant_id, roles in actor.memberships.items() if _allows(roles, action)
    )


def exceeds(actor: Actor, roles: Iterable[str], tenant: Tenant) -> list[str]:
    """Return the actions that these roles would give in the tenant and the actor does not have."""
    given = frozenset[str]().union(*(MATRIX.get(role, frozenset()) for role in roles))
    return sorted(action for action in given if not can(actor, action, tenant))


def given_by(roles: Iterable[str]) -> tuple[Granted, ...]:
    """Return each action that the roles give, with those of them that do."""
    sources: dict[str, list[str]] = {}
    for role in sorted(roles):
        for action in MATRIX.get(role, ()):
            sources.setdefault(action, []).append(role)
    return tuple(Granted(action, tuple(named)) for action, named in sorted(sources.items()))


def _allows(roles: frozenset[str], action: str) -> bool:
    return any(action in MATRIX.get(role, ()) for role in roles)


def _tenant_of(on: models.Model | None) -> UUID | None:
    if isinstance(on, Tenant):
        return on.id
    return getattr(on, "tenant_id", None)
