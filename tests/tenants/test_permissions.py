"""Who may do what: the matrix, role by role, in one's own tenant and in a stranger's."""

import pytest
from django.core.exceptions import PermissionDenied

from audit.actor import EVIDENCE_READERS, Actor, command, task
from tenants.models import Role, Tenant
from tenants.permissions import (
    ACTIONS,
    MATRIX,
    PLATFORM_ACTIONS,
    TENANT_ACTIONS,
    WITHOUT_TENANT,
    can,
    require,
    tenants_where,
)

ACME, OTHER = Tenant(name="acme"), Tenant(name="other")

# What each role may do, written out a second time: a change of the matrix is a change here.
EVERYBODY_IN_CHARGE = TENANT_ACTIONS - {
    "membership.grant_owner",
    "membership.revoke_owner",
    "review_rule.set",
    "review_rule.unset",
}
MAY = {
    "owner": TENANT_ACTIONS,
    "admin": EVERYBODY_IN_CHARGE,
    "policy_author": {
        "tenant.read",
        "app.read",
        "policy.read",
        "policy.create",
        "policy.import",
        "policy_version.freeze",
        "draft.create",
        "draft.update",
        "draft.discard",
        "review.request",
        "review.withdraw",
        "backtest.cancel",
        "backtest.create",
        "backtest.read",
    },
    "approver": {
        "tenant.read",
        "app.read",
        "policy.read",
        "policy.publish",
        "policy.attach",
        "policy.detach",
        "policy_detach.withdraw",
        "policy.activate",
        "policy.rollback",
        "review.approve",
        "review.reject",
        "schedule.create",
        "schedule.cancel",
        "rollout.start",
        "rollout.update",
        "rollout.stop",
        "rollout.promote",
        "exemption.approve",
        "exemption.grant",
        "exemption.revoke",
        "backtest.cancel",
        "backtest.create",
        "backtest.read",
    },
    "key_manager": {
        "tenant.read",
        "app.read",
        "virtual_key.read",
        "virtual_key.issue",
        "virtual_key.rotate",
        "virtual_key.revoke",
    },
    "analyst": {"tenant.read", "app.read", "budget.read", "usage.read"},
    "auditor": {
        "app.read",
        "backtest.read",
        "mark.create",
        "budget.read",
        "guard.read",
        "call.explain",
        "event.read",
        "export.create",
        "export.download",
        "export.read",
        "job.read",
        "membership.read",
        "oauth_application.read",
        "policy.read",
        "rate_limit.read",
        "record.read",
        "tenant.read",
        "usage.read",
        "virtual_key.read",
    },
    "app_developer": {
        "tenant.read",
        "app.read",
        "budget.read",
        "rate_limit.read",
        "virtual_key.read",
    },
}


def person(*roles, tenant=ACME, is_superuser=False):
    memberships = {str(tenant.id): frozenset(roles)} if roles else {}
    return Actor("user", "u", "someone", memberships=memberships, is_superuser=is_superuser)


def test_every_role_stands_in_the_matrix():
    assert set(MATRIX) == set(Role.values) == set(MAY)


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_role_may_do_in_its_tenant_what_the_matrix_says(role, action):
    assert can(person(role), action, ACME) == (action in MAY[role])


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_role_may_do_nothing_in_another_tenant(role, action):
    assert not can(person(role), action, OTHER)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_nobody_may_do_anything(action):
    assert not can(person(), action, ACME)
    assert not can(person(), action, None)
    assert not can(person("unheard_of"), action, ACME)


@pytest.mark.parametrize("action", sorted(PLATFORM_ACTIONS))
def test_the_platform_is_not_a_tenants(action):
    assert not can(person("owner"), action, None)
    assert not can(person("owner"), action, ACME)
    assert can(person(is_superuser=True), action, None)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_the_owner_of_the_installation_and_the_operator_may_do_all(action):
    for actor in (person(is_superuser=True), command("apply"), task("gateway.publish")):
        assert can(actor, action, ACME)
        assert can(actor, action, None)


def test_what_is_not_listed_nobody_may_do():
    for actor in (person("owner"), person(is_superuser=True), command("apply")):
        assert not can(actor, "tenant.burn", ACME)
        assert tenants_where(actor, "tenant.burn") == frozenset()


def test_what_belongs_to_no_tenant_yet_takes_the_role_in_any():
    assert {"policy.create", "policy.import", "user.create"} == WITHOUT_TENANT
    assert can(person("policy_author"), "policy.create", None)
    assert not can(person("analyst"), "policy.create", None)
    assert not can(person("approver"), "policy.publish", None)


def test_two_roles_add_up():
    both = person("analyst", "key_manager")
    assert can(both, "usage.read", ACME)
    assert can(both, "virtual_key.issue", ACME)


def test_where_one_may_do_something():
    assert tenants_where(person("auditor"), "event.read") == {str(ACME.id)}
    assert tenants_where(person("analyst"), "event.read") == frozenset()
    assert tenants_where(command("apply"), "event.read") is None


def test_the_rooms_agree_on_who_reads_evidence():
    for action in ("event.read", "record.read", "export.create", "export.download"):
        assert {role for role in MAY if action in MAY[role]} == EVIDENCE_READERS


def test_a_refusal_says_who_may_not_do_what():
    with pytest.raises(PermissionDenied, match=r"someone may not virtual_key\.issue"):
        require(person("analyst"), "virtual_key.issue", ACME)
    require(person("key_manager"), "virtual_key.issue", ACME)
