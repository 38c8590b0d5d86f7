"""Changes at the same time: one after the other, and never in a ring."""

import secrets
import threading

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, OperationalError, connection, connections, transaction

from audit.actor import Actor, command
from gateway.services.routes import route_create, route_update
from policies.services.attachments import policy_attach, policy_detach
from policies.services.policies import policy_create, policy_publish
from tenants.models import Membership, Role, Tenant, User
from tenants.services.people import (
    membership_grant,
    membership_revoke,
    owner_create,
    user_create,
)
from tenants.services.tenants import tenant_create, tenant_remove, tenant_update

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
PASSWORD = "correct horse battery staple"
PATIENCE_S = 30


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def at_once(*jobs):
    """Run jobs in threads that begin together; return what each raised, or None."""
    barrier, raised = threading.Barrier(len(jobs)), [None] * len(jobs)

    def run(place, job):
        barrier.wait(PATIENCE_S)
        try:
            job()
        except (ValidationError, PermissionDenied, DatabaseError) as error:
            raised[place] = error
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=run, args=(place, job), daemon=True)
        for place, job in enumerate(jobs)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    return raised


@pytest.fixture
def acme():
    return tenant_create(actor=OPERATOR, name=unique("acme"))


def test_two_owners_who_leave_at_once_do_not_both_leave(acme):
    for _ in range(3):
        Membership.objects.filter(tenant=acme).delete()
        owners = []
        for _ in range(2):
            user = user_create(
                actor=OPERATOR, email=f"{unique('ann')}@example.com", password=PASSWORD
            )
            owners.append(membership_grant(actor=OPERATOR, tenant=acme, user=user, role=Role.OWNER))
        raised = at_once(
            *(lambda one=one: membership_revoke(actor=OPERATOR, membership=one) for one in owners)
        )
        assert sorted(type(error) for error in raised if error) == [ValidationError]
        assert Membership.objects.filter(tenant=acme, role=Role.OWNER).count() == 1


def test_two_first_owners_are_one():
    User.objects.filter(is_superuser=True).update(is_superuser=False)
    setup = Actor("user", "", "set-up link")
    raised = at_once(
        *(
            lambda: owner_create(
                actor=setup, email=f"{unique('own')}@example.com", password=PASSWORD
            )
            for _ in range(3)
        )
    )
    assert [error is None for error in raised].count(True) == 1
    assert User.objects.filter(is_superuser=True).count() == 1


def test_changes_of_tenants_policies_and_the_platform_never_wait_in_a_ring(acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    route = route_create(actor=OPERATOR, name=unique("model"))
    policy = policy_create(actor=OPERATOR, name=unique("policy"))
    publish = f"policy: {policy.name}\ndefault: permit\ndescription: number {{}}\n"
    policy_publish(actor=OPERATOR, policy=policy, source=publish.format("none"))

    def attached_here_and_there():
        for tenant in (acme, other) * 4:
            held = policy_attach(actor=OPERATOR, policy=policy, tenant=tenant)
            policy_detach(actor=OPERATOR, attachment=held)

    raised = at_once(
        attached_here_and_there,
        lambda: [
            policy_publish(actor=OPERATOR, policy=policy, source=publish.format(number))
            for number in range(6)
        ],
        lambda: [
            route_update(actor=OPERATOR, route=route, default_max_output_tokens=number + 1)
            for number in range(8)
        ],
        lambda: [
            tenant_update(actor=OPERATOR, tenant=tenant, tags=[f"t{number}"])
            for number in range(5)
            for tenant in (other, acme)
        ],
    )
    assert raised == [None] * 4


def hurried(job):
    """Return a job that waits for no lock longer than a moment."""

    def run():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")
            job()

    return run


def test_a_change_of_one_tenant_holds_up_the_platforms_and_no_other_tenants(acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    with transaction.atomic():
        tenant_update(actor=OPERATOR, tenant=acme, tags=["a"])
        (same, platform, elsewhere) = at_once(
            hurried(lambda: tenant_update(actor=OPERATOR, tenant=acme, tags=["b"])),
            hurried(lambda: route_create(actor=OPERATOR, name=unique("model"))),
            hurried(lambda: tenant_update(actor=OPERATOR, tenant=other, tags=["b"])),
        )
    assert isinstance(same, OperationalError)
    assert isinstance(platform, OperationalError)
    assert elsewhere is None


def test_a_change_of_the_platform_is_made_alone(acme):
    policy = policy_create(actor=OPERATOR, name=unique("policy"))
    with transaction.atomic():
        policy_publish(actor=OPERATOR, policy=policy, source=f"policy: {policy.name}\n")
        raised = at_once(
            hurried(lambda: tenant_update(actor=OPERATOR, tenant=acme, tags=["b"])),
            hurried(lambda: route_create(actor=OPERATOR, name=unique("model"))),
        )
    assert [type(error) for error in raised] == [OperationalError, OperationalError]


def test_nothing_is_changed_in_a_tenant_that_was_removed(acme):
    tenant_remove(actor=OPERATOR, tenant=acme)
    with pytest.raises(ValidationError, match="has been removed"):
        tenant_update(actor=OPERATOR, tenant=acme, timezone="Asia/Tokyo")
    assert Tenant.objects.get(pk=acme.pk).timezone == "UTC"
