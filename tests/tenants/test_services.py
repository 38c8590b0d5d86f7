"""Tenants, apps, keys, people, budgets and limits: what each change does, and what it refuses."""

import datetime
import secrets
from decimal import Decimal

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from audit.actor import Actor, command
from audit.models import Event
from gateway.envelope import key_pepper
from tenants import keys
from tenants.models import (
    App,
    Budget,
    Membership,
    RateLimit,
    Role,
    Tenant,
    TenantEpoch,
    User,
    VirtualKey,
)
from tenants.selectors import (
    actor_of,
    app_named,
    apps_visible,
    budgets_visible,
    key_by_public_id,
    keys_visible,
    limits_visible,
    members_visible,
    owner_exists,
    tenants_visible,
)
from tenants.services.apps import app_create, app_remove, app_resume, app_suspend, app_update
from tenants.services.budgets import budget_create, budget_remove, budget_update
from tenants.services.keys import virtual_key_issue, virtual_key_revoke, virtual_key_rotate
from tenants.services.limits import rate_limit_create, rate_limit_update
from tenants.services.people import (
    membership_grant,
    membership_revoke,
    owner_create,
    user_create,
    user_remove,
)
from tenants.services.tenants import (
    tenant_create,
    tenant_remove,
    tenant_resume,
    tenant_suspend,
    tenant_update,
)

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")
PASSWORD = "correct horse battery staple"


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


@pytest.fixture
def acme():
    return tenant_create(actor=OPERATOR, name=unique("acme"), tags=["team"])


@pytest.fixture
def helpdesk(acme):
    return app_create(actor=OPERATOR, tenant=acme, name="helpdesk", models=["gpt-4o-mini"])


@pytest.fixture
def pepper():
    return key_pepper(settings.GATEHOUSE.kek)


@pytest.fixture
def key(helpdesk, pepper):
    made, _ = virtual_key_issue(actor=OPERATOR, app=helpdesk, name="one", pepper=pepper)
    return made


def revision(tenant):
    return Tenant.objects.get(pk=tenant.pk).revision


def state(row):
    return type(row).objects.get(pk=row.pk).state


def ann(tenant, role):
    user = user_create(actor=OPERATOR, email=f"{unique('ann')}@example.com", password=PASSWORD)
    membership_grant(actor=OPERATOR, tenant=tenant, user=user, role=role)
    return user


def euros(tenant, name="month", **others):
    terms = {"limit_micros": 9, "currency": "EUR", "window": "month", **others}
    return budget_create(actor=OPERATOR, tenant=tenant, name=name, **terms)


# Tenants


def test_a_tenant_begins_with_a_fence_and_active(acme):
    assert state(acme) == "active"
    assert TenantEpoch.objects.get(tenant=acme).epoch == 0


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "Acme Inc"}, "a name is 1 to 63"),
        ({"timezone": "Mars/Olympus"}, "not an IANA time zone"),
        ({"evidence": "batch"}, "not available in this version"),
        ({"tags": ["Team A"]}, "a name is 1 to 63"),
    ],
)
def test_a_tenant_is_refused(fields, why):
    with pytest.raises(ValidationError, match=why):
        tenant_create(actor=OPERATOR, **{"name": unique("t"), **fields})


def test_two_tenants_have_two_names_until_one_is_removed(acme):
    with pytest.raises(ValidationError, match="tenant_name_once"):
        tenant_create(actor=OPERATOR, name=acme.name)
    tenant_remove(actor=OPERATOR, tenant=acme)
    assert tenant_create(actor=OPERATOR, name=acme.name).id != acme.id


def test_a_refused_update_changes_nothing(acme):
    before = revision(acme)
    with pytest.raises(ValidationError):
        tenant_update(actor=OPERATOR, tenant=acme, timezone="Nowhere")
    assert Tenant.objects.get(pk=acme.pk).timezone == "UTC"
    assert revision(acme) == before


def test_suspending_and_resuming_are_heard(acme):
    before = revision(acme)
    assert tenant_suspend(actor=OPERATOR, tenant=acme)
    assert (state(acme), revision(acme)) == ("suspended", before + 1)
    assert not tenant_suspend(actor=OPERATOR, tenant=acme)
    assert tenant_resume(actor=OPERATOR, tenant=acme)
    assert (state(acme), revision(acme)) == ("active", before + 2)


def test_a_removed_tenant_leaves_nothing_in_force(acme, helpdesk, key):
    euros(acme)
    rate_limit_create(
        actor=OPERATOR, tenant=acme, name="rpm", kind="requests", amount=1, per="minute"
    )
    tenant_remove(actor=OPERATOR, tenant=acme)
    assert (state(acme), state(helpdesk), state(key)) == ("removed", "removed", "revoked")
    assert not Budget.objects.filter(tenant=acme, is_active=True).exists()
    assert not RateLimit.objects.filter(tenant=acme, is_active=True).exists()
    assert Event.objects.order_by("-id")[0].after["keys_revoked"] == [key.public_id]
    with pytest.raises(ValidationError, match="has been removed"):
        tenant_resume(actor=OPERATOR, tenant=acme)
    assert not tenants_visible(OPERATOR).filter(pk=acme.pk).exists()


# Apps


def test_an_app_is_named_once_in_its_tenant(acme, helpdesk):
    with pytest.raises(ValidationError):
        app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    assert app_create(actor=OPERATOR, tenant=other, name="helpdesk").tenant == other


def test_an_app_that_is_changed_is_heard_and_one_that_is_not_is_not(acme, helpdesk):
    before = revision(acme)
    assert not app_update(actor=OPERATOR, app=helpdesk, models=["gpt-4o-mini"])
    assert revision(acme) == before
    assert app_update(actor=OPERATOR, app=helpdesk, models=["gpt-4o-mini", "o3"], tier="gold")
    assert revision(acme) == before + 1
    assert app_named(acme.name, "helpdesk").models == ["gpt-4o-mini", "o3"]


def test_a_removed_app_gives_its_name_free_and_no_key_works(acme, helpdesk, key, pepper):
    euros(acme, app=helpdesk)
    app_suspend(actor=OPERATOR, app=helpdesk)
    app_remove(actor=OPERATOR, app=helpdesk)
    assert (state(helpdesk), state(key)) == ("removed", "revoked")
    assert not Budget.objects.filter(app=helpdesk, is_active=True).exists()
    assert app_named(acme.name, "helpdesk") is None
    with pytest.raises(ValidationError, match="has been removed"):
        app_resume(actor=OPERATOR, app=helpdesk)
    with pytest.raises(ValidationError, match="has been removed"):
        virtual_key_issue(actor=OPERATOR, app=helpdesk, name="k", pepper=pepper)
    assert app_create(actor=OPERATOR, tenant=acme, name="helpdesk").id != helpdesk.id


# Keys


def test_only_a_digest_of_a_key_is_stored(helpdesk, pepper):
    made, issued = virtual_key_issue(actor=OPERATOR, app=helpdesk, name="one", pepper=pepper)
    stored = VirtualKey.objects.get(pk=made.pk)
    assert bytes(stored.digest) == keys.digest(issued.secret, pepper)
    assert keys.public_id(issued.secret, pepper) == stored.public_id
    body = issued.secret.split("_")[2]
    assert body not in str(vars(stored))
    assert body not in str(list(Event.objects.order_by("-id")[:1].values()))


def test_a_key_cannot_expire_in_the_past(helpdesk, pepper):
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    with pytest.raises(ValidationError, match="in the past"):
        virtual_key_issue(actor=OPERATOR, app=helpdesk, name="k", pepper=pepper, expires_at=past)


def test_case_18_revoking_raises_the_revision_in_its_own_transaction(acme, key):
    before = revision(acme)
    with transaction.atomic():
        assert virtual_key_revoke(actor=OPERATOR, key=key)
        assert revision(acme) == before + 1
        transaction.set_rollback(True)
    assert (state(key), revision(acme)) == ("active", before)
    assert virtual_key_revoke(actor=OPERATOR, key=key)
    assert (state(key), revision(acme)) == ("revoked", before + 1)
    assert not virtual_key_revoke(actor=OPERATOR, key=key)
    assert revision(acme) == before + 1


def test_rotating_at_once_ends_the_old_key(key, pepper):
    new, issued = virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper)
    assert (state(key), state(new)) == ("revoked", "active")
    assert (new.name, new.app, new.rotated_from) == (key.name, key.app, key)
    assert keys.public_id(issued.secret, pepper) == new.public_id


def test_rotating_with_an_overlap_lets_both_work_for_a_while(key, pepper):
    virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper, overlap_s=3600)
    old = VirtualKey.objects.get(pk=key.pk)
    left = old.expires_at - datetime.datetime.now(datetime.UTC)
    assert old.state == "active"
    assert datetime.timedelta(minutes=59) < left <= datetime.timedelta(hours=1)


def test_an_overlap_never_lengthens_a_key(helpdesk, pepper):
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
    made, _ = virtual_key_issue(
        actor=OPERATOR, app=helpdesk, name="k", pepper=pepper, expires_at=soon
    )
    virtual_key_rotate(actor=OPERATOR, key=made, pepper=pepper, overlap_s=3600)
    assert VirtualKey.objects.get(pk=made.pk).expires_at == soon


@pytest.mark.parametrize("overlap_s", [-1, 7 * 24 * 3600 + 1])
def test_an_overlap_has_bounds(key, pepper, overlap_s):
    with pytest.raises(ValidationError, match="an overlap is 0 to"):
        virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper, overlap_s=overlap_s)


def test_neither_a_revoked_nor_an_expired_key_is_rotated(helpdesk, key, pepper):
    virtual_key_revoke(actor=OPERATOR, key=key)
    with pytest.raises(ValidationError, match="a revoked key"):
        virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper)
    made, _ = virtual_key_issue(actor=OPERATOR, app=helpdesk, name="k", pepper=pepper)
    VirtualKey.objects.filter(pk=made.pk).update(
        expires_at=datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    )
    with pytest.raises(ValidationError, match="an expired key"):
        virtual_key_rotate(actor=OPERATOR, key=made, pepper=pepper)


def test_a_keys_budget_goes_with_it_and_is_never_shared(acme, key, pepper):
    budget = euros(acme, key=key)
    with pytest.raises(ValidationError, match="without overlap"):
        virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper, overlap_s=60)
    new, _ = virtual_key_rotate(actor=OPERATOR, key=key, pepper=pepper)
    assert Budget.objects.get(pk=budget.pk).key == new


def test_the_database_lets_no_key_be_half_revoked(key):
    with pytest.raises(IntegrityError), transaction.atomic():
        VirtualKey.objects.filter(pk=key.pk).update(state="revoked")


# People


def test_a_person_has_one_account_in_any_case(acme):
    user = ann(acme, Role.ANALYST)
    with pytest.raises(ValidationError):
        user_create(actor=OPERATOR, email=user.email.upper(), password=PASSWORD)
    assert User.objects.get_by_natural_key(user.email.upper()) == user
    assert user.check_password(PASSWORD)
    assert user.password.startswith("argon2")


@pytest.mark.parametrize("password", ["short", "passwordpassword1"[:11], "iloveyou"])
def test_a_weak_password_is_refused(password):
    with pytest.raises(ValidationError):
        user_create(actor=OPERATOR, email=f"{unique('x')}@example.com", password=password)


def test_the_last_owner_of_a_tenant_stays(acme):
    first = ann(acme, Role.OWNER)
    mine = Membership.objects.get(user=first, tenant=acme)
    with pytest.raises(ValidationError, match="the last owner"):
        membership_revoke(actor=OPERATOR, membership=mine)
    second = ann(acme, Role.OWNER)
    User.objects.filter(pk=second.pk).update(is_active=False)
    with pytest.raises(ValidationError, match="the last owner"):
        membership_revoke(actor=OPERATOR, membership=mine)
    User.objects.filter(pk=second.pk).update(is_active=True)
    membership_revoke(actor=OPERATOR, membership=mine)
    assert not Membership.objects.filter(user=first).exists()


def test_only_an_owner_makes_and_unmakes_owners(acme):
    owner, admin = ann(acme, Role.OWNER), ann(acme, Role.ADMIN)
    user = ann(acme, Role.ANALYST)
    with pytest.raises(PermissionDenied):
        membership_grant(actor=actor_of(admin), tenant=acme, user=user, role=Role.OWNER)
    membership_grant(actor=actor_of(admin), tenant=acme, user=user, role=Role.AUDITOR)
    made = membership_grant(actor=actor_of(owner), tenant=acme, user=user, role=Role.OWNER)
    with pytest.raises(PermissionDenied):
        membership_revoke(actor=actor_of(admin), membership=made)


def test_the_first_owner_of_the_installation_is_the_only_first():
    User.objects.filter(is_superuser=True).update(is_superuser=False)
    assert not owner_exists()
    setup = Actor("user", "", "set-up link")
    owner = owner_create(actor=setup, email=f"{unique('own')}@example.com", password=PASSWORD)
    assert owner.is_superuser
    assert owner_exists()
    with pytest.raises(PermissionDenied, match="has an owner already"):
        owner_create(actor=setup, email=f"{unique('own')}@example.com", password=PASSWORD)
    with pytest.raises(ValidationError, match="the last owner"):
        user_remove(actor=OPERATOR, user=owner)


def test_a_removed_person_acts_no_more(acme):
    user = ann(acme, Role.OWNER)
    user_remove(actor=OPERATOR, user=user)
    assert not User.objects.get(pk=user.pk).is_active


# Budgets and limits


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"currency": "Euro"}, "three capital letters"),
        ({"window": "year"}, "not a valid choice"),
        ({"mode": "firm"}, "not a valid choice"),
        ({"group_by": ["colour"]}, "not by"),
        ({"group_by": ["tag:squad"]}, "declared tags"),
        ({"group_by": ["app", "app"]}, "twice"),
        ({"alert_at": [Decimal("1.5")]}, "at most 1"),
        ({"limit_micros": 2**52 + 1}, "budget_limit_is_exact"),
        ({"limit_micros": -1}, "greater than or equal to 0"),
    ],
)
def test_a_budget_is_refused(acme, fields, why):
    with pytest.raises(ValidationError, match=why):
        euros(acme, **fields)
    assert not Budget.objects.filter(tenant=acme).exists()


def test_case_09_a_declared_group_is_refused_without_a_ceiling(acme):
    with pytest.raises(ValidationError, match="ungrouped hard budget in EUR above it"):
        euros(acme, "per-user", group_by=["user"])
    ceiling = euros(acme)
    euros(acme, "per-user", group_by=["user"])
    with pytest.raises(ValidationError, match="per-user"):
        budget_remove(actor=OPERATOR, budget=ceiling)
    with pytest.raises(ValidationError, match="per-user"):
        budget_update(actor=OPERATOR, budget=ceiling, mode="soft")
    assert Budget.objects.get(pk=ceiling.pk).mode == "hard"
    euros(acme, "total", window="total")
    assert budget_remove(actor=OPERATOR, budget=ceiling)


def test_case_09_a_key_that_binds_its_user_needs_no_ceiling(acme, helpdesk, pepper):
    bound, _ = virtual_key_issue(actor=OPERATOR, app=helpdesk, name="k", pepper=pepper, user="u-1")
    assert euros(acme, "per-user", group_by=["user"], key=bound)


def test_a_budget_is_its_tenants_own(acme, helpdesk, key):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    with pytest.raises(ValidationError, match="another tenant"):
        euros(other, app=helpdesk)
    with pytest.raises(ValidationError, match="another tenant"):
        euros(other, key=key)
    with pytest.raises(ValidationError, match="not to both"):
        euros(acme, app=helpdesk, key=key)


def test_a_budgets_name_is_free_again_once_it_ended(acme):
    first = euros(acme)
    with pytest.raises(ValidationError):
        euros(acme)
    budget_remove(actor=OPERATOR, budget=first)
    assert euros(acme).id != first.id


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"kind": "requests", "per": ""}, "are per something"),
        ({"kind": "concurrency", "per": "minute"}, "are per something"),
        ({"kind": "concurrency", "per": "", "burst": 4}, "have no burst"),
        ({"burst": 0}, "at least 1"),
        ({"amount": 0}, "limit_amount_is_exact"),
        ({"amount": 2**52 + 1}, "limit_amount_is_exact"),
        ({"kind": "images"}, "not a valid choice"),
    ],
)
def test_a_limit_is_refused(acme, fields, why):
    terms = {"kind": "requests", "amount": 5, "per": "minute", **fields}
    with pytest.raises(ValidationError, match=why):
        rate_limit_create(actor=OPERATOR, tenant=acme, name="l", **terms)


def test_a_limit_that_is_changed_is_heard(acme):
    limit = rate_limit_create(
        actor=OPERATOR, tenant=acme, name="rpm", kind="requests", amount=5, per="minute"
    )
    before = revision(acme)
    assert rate_limit_update(actor=OPERATOR, limit=limit, amount=6, burst=2)
    assert not rate_limit_update(actor=OPERATOR, limit=limit, amount=6)
    assert revision(acme) == before + 1


# Reads


def test_a_person_sees_their_tenant_and_no_other(acme, helpdesk, key):
    euros(acme)
    rate_limit_create(
        actor=OPERATOR, tenant=acme, name="rpm", kind="requests", amount=5, per="minute"
    )
    stranger = tenant_create(actor=OPERATOR, name=unique("other"))
    bob, charlie = actor_of(ann(acme, Role.AUDITOR)), actor_of(ann(stranger, Role.OWNER))
    for visible in (
        tenants_visible,
        apps_visible,
        keys_visible,
        budgets_visible,
        limits_visible,
        members_visible,
    ):
        mine = {getattr(row, "tenant_id", row.pk) for row in visible(bob)}
        assert mine == {acme.id}, visible.__name__
        assert acme.id not in {getattr(row, "tenant_id", row.pk) for row in visible(charlie)}


def test_a_role_that_may_not_read_keys_sees_none(acme, key):
    assert not keys_visible(actor_of(ann(acme, Role.ANALYST))).exists()
    assert key in keys_visible(actor_of(ann(acme, Role.KEY_MANAGER)))
    assert key_by_public_id(key.public_id) == key
    assert key_by_public_id("nobodys") is None


def test_an_actor_has_the_roles_of_the_moment(acme):
    user = ann(acme, Role.ANALYST)
    membership_grant(actor=OPERATOR, tenant=acme, user=user, role=Role.AUDITOR)
    actor = actor_of(user, "192.0.2.1")
    assert actor.roles_in(str(acme.id)) == {"analyst", "auditor"}
    assert (actor.kind, actor.name, actor.source) == ("user", user.email, "192.0.2.1")
    assert not actor.is_superuser
    assert App.objects.filter(tenant=acme).count() == 0
