"""Policies: frozen versions, one of them active, and where they hold."""

import secrets

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from audit.actor import Actor, command
from gateway.services.routes import route_create
from policies.models import Attachment, Policy, PolicyVersion
from policies.pdp.language import load_canonical
from policies.pdp.problem import PolicyError
from policies.selectors import attached, effective, policies_visible, versions_visible
from policies.services.attachments import policy_attach, policy_detach
from policies.services.policies import policy_create, policy_publish, policy_retire
from tenants.models import Role, Tenant
from tenants.services.apps import app_create, app_remove
from tenants.services.tenants import tenant_create, tenant_remove

pytestmark = pytest.mark.usefixtures("db")

OPERATOR = command("tests")


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def text(policy, body="default: permit"):
    return f"policy: {policy.name}\n{body}\n"


def publish(policy, body="default: permit", actor=OPERATOR, **others):
    return policy_publish(actor=actor, policy=policy, source=text(policy, body), **others)


def active(policy):
    return Policy.objects.select_related("active").get(pk=policy.pk).active


def person(role, *tenants):
    memberships = {str(tenant.id): frozenset({role}) for tenant in tenants}
    return Actor("user", "u", "someone@example.com", memberships=memberships)


@pytest.fixture
def policy():
    return policy_create(actor=OPERATOR, name=unique("policy"))


@pytest.fixture
def acme():
    return tenant_create(actor=OPERATOR, name=unique("acme"))


def test_publishing_freezes_a_version_and_makes_it_active(policy):
    version = publish(policy)
    assert active(policy) == version
    assert (version.number, version.author) == (1, "tests")
    document = load_canonical(version.canonical.encode())
    assert (document.name, document.hash) == (policy.name, version.hash)
    assert version.source == text(policy)


def test_a_text_of_the_same_meaning_is_the_same_version(policy):
    first = publish(policy)
    again = policy_publish(
        actor=OPERATOR, policy=policy, source="# a comment\n" + text(policy) + "\n"
    )
    assert again == first
    assert PolicyVersion.objects.filter(policy=policy).count() == 1


def test_numbers_are_the_policys_own(policy):
    other = policy_create(actor=OPERATOR, name=unique("other"))
    assert [publish(policy).number, publish(policy, "default: deny").number] == [1, 2]
    assert publish(other).number == 1


def test_an_earlier_text_becomes_active_again_under_its_old_number(policy):
    first = publish(policy)
    publish(policy, "default: deny")
    assert publish(policy) == first
    assert active(policy) == first
    assert publish(policy, "rules: []").number == 2  # says deny too, only in other words


def test_a_text_has_to_say_whose_it_is(policy):
    with pytest.raises(ValidationError, match=f"this is the policy {policy.name}"):
        policy_publish(actor=OPERATOR, policy=policy, source="policy: another\n")
    assert active(policy) is None


def test_a_wrong_text_changes_nothing(policy):
    first = publish(policy)
    with pytest.raises(PolicyError) as refusal:
        publish(policy, "defualt: permit")
    assert (refusal.value.line, refusal.value.column) == (2, 1)
    assert active(policy) == first


def test_a_text_whose_own_test_fails_is_not_published(policy):
    body = "default: permit\ntests:\n  - {name: refuses, given: {}, expect: {deny: default}}"
    with pytest.raises(PolicyError, match='the test "refuses" fails') as refusal:
        publish(policy, body)
    assert refusal.value.line == 4
    assert active(policy) is None


def test_a_policy_without_a_version_is_not_attached(policy, acme):
    with pytest.raises(ValidationError, match="no published version"):
        policy_attach(actor=OPERATOR, policy=policy, tenant=acme)


def test_what_holds_for_an_app_comes_from_every_layer(acme):
    helpdesk = app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    other = app_create(actor=OPERATOR, tenant=acme, name="other")
    names = {}
    for layer, terms in (
        ("platform", {}),
        ("tenant", {"tenant": acme}),
        ("app", {"tenant": acme, "app": helpdesk}),
    ):
        made = policy_create(actor=OPERATOR, name=unique(layer))
        publish(made)
        names[layer] = (made.name, policy_attach(actor=OPERATOR, policy=made, **terms))
    held = attached(acme)
    assert names["platform"][0] in held.platform
    assert held.tenant == (names["tenant"][0],)
    assert held.apps == {helpdesk.id: (names["app"][0],)}
    labels = effective(held, held.apps[helpdesk.id]).labels
    assert labels[-2:] == (f"{names['tenant'][0]}@1", f"{names['app'][0]}@1")
    assert labels[0].split("@")[0] in held.platform
    assert f"{names['app'][0]}@1" not in effective(held, held.apps.get(other.id, ())).labels
    policy_detach(actor=OPERATOR, attachment=names["platform"][1])
    assert names["platform"][0] not in attached(acme).platform


def test_two_routes_in_one_layer_are_refused_where_they_meet(acme):
    small = route_create(actor=OPERATOR, name=unique("small")).name
    body = f"default: permit\nrules:\n  - {{id: r, when: true, route: {small}}}"
    first, second = (policy_create(actor=OPERATOR, name=unique("r")) for _ in range(2))
    publish(first, body)
    publish(second)
    policy_attach(actor=OPERATOR, policy=first, tenant=acme)
    held = policy_attach(actor=OPERATOR, policy=second, tenant=acme)
    app_create(actor=OPERATOR, tenant=acme, name="helpdesk")
    with pytest.raises(PolicyError, match="more than one route"):
        publish(second, body)
    assert active(second).number == 1
    assert publish(second, body, fits_later=True).number == 2
    policy_detach(actor=OPERATOR, attachment=held)


def test_an_app_of_another_tenant_is_not_attached_to(policy, acme):
    publish(policy)
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    app = app_create(actor=OPERATOR, tenant=other, name="helpdesk")
    for tenant in (acme, None):
        with pytest.raises(ValidationError, match="another tenant"):
            policy_attach(actor=OPERATOR, policy=policy, tenant=tenant, app=app)


def test_a_policy_is_attached_once(policy, acme):
    publish(policy)
    policy_attach(actor=OPERATOR, policy=policy, tenant=acme)
    with pytest.raises(ValidationError):
        policy_attach(actor=OPERATOR, policy=policy, tenant=acme)


def test_only_what_is_attached_nowhere_is_retired(policy, acme):
    publish(policy)
    held = policy_attach(actor=OPERATOR, policy=policy, tenant=acme)
    with pytest.raises(ValidationError, match="still attached"):
        policy_retire(actor=OPERATOR, policy=policy)
    policy_detach(actor=OPERATOR, attachment=held)
    assert policy_retire(actor=OPERATOR, policy=policy)
    assert active(policy) is None
    assert PolicyVersion.objects.filter(policy=policy).count() == 1


def test_every_change_is_heard_by_the_tenants_that_it_concerns(policy, acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    publish(policy)

    def heard(change):
        before = [Tenant.objects.get(pk=one.pk).revision for one in (acme, other)]
        result = change()
        after = [Tenant.objects.get(pk=one.pk).revision for one in (acme, other)]
        return result, [new > old for old, new in zip(before, after, strict=True)]

    held, changed = heard(lambda: policy_attach(actor=OPERATOR, policy=policy, tenant=acme))
    assert changed == [True, False]
    assert heard(lambda: publish(policy, "default: deny"))[1] == [True, False]
    assert heard(lambda: publish(policy, "default: deny"))[1] == [False, False]
    assert heard(lambda: policy_detach(actor=OPERATOR, attachment=held))[1] == [True, False]
    everywhere, changed = heard(lambda: policy_attach(actor=OPERATOR, policy=policy))
    assert changed == [True, True]
    policy_detach(actor=OPERATOR, attachment=everywhere)


def test_publishing_takes_the_right_in_every_tenant_that_it_changes(policy, acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    publish(policy)
    policy_attach(actor=OPERATOR, policy=policy, tenant=acme)
    approver = person(Role.APPROVER, acme)
    assert publish(policy, "default: deny", actor=approver).number == 2
    policy_attach(actor=OPERATOR, policy=policy, tenant=other)
    with pytest.raises(PermissionDenied):
        publish(policy, actor=approver)
    assert publish(policy, actor=person(Role.APPROVER, acme, other)).number == 1


def test_nobody_below_changes_what_holds_for_the_platform(policy, acme):
    publish(policy)
    owner = person(Role.OWNER, acme)
    with pytest.raises(PermissionDenied):
        policy_attach(actor=owner, policy=policy)
    held = policy_attach(actor=OPERATOR, policy=policy)
    with pytest.raises(PermissionDenied):
        publish(policy, "default: deny", actor=owner)
    with pytest.raises(PermissionDenied):
        policy_detach(actor=owner, attachment=held)
    policy_detach(actor=OPERATOR, attachment=held)
    assert not Attachment.objects.filter(policy=policy).exists()


def test_a_policy_of_another_tenant_is_not_seen(policy, acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    publish(policy)
    reader, stranger = person(Role.AUDITOR, acme), person(Role.AUDITOR, other)
    assert policy in policies_visible(reader)
    held = policy_attach(actor=OPERATOR, policy=policy, tenant=acme)
    assert policy in policies_visible(reader)
    assert policy not in policies_visible(stranger)
    assert [one.number for one in versions_visible(reader, policy)] == [1]
    assert not versions_visible(stranger, policy).exists()
    assert not policies_visible(person(Role.ANALYST, acme)).exists()
    assert policy in policies_visible(OPERATOR)
    policy_detach(actor=OPERATOR, attachment=held)


def test_what_was_attached_to_a_removed_tenant_or_app_holds_nowhere(policy, acme):
    other = tenant_create(actor=OPERATOR, name=unique("other"))
    app = app_create(actor=OPERATOR, tenant=other, name="helpdesk")
    publish(policy)
    policy_attach(actor=OPERATOR, policy=policy, tenant=acme)
    policy_attach(actor=OPERATOR, policy=policy, tenant=other, app=app)
    tenant_remove(actor=OPERATOR, tenant=acme)
    app_remove(actor=OPERATOR, app=app)
    assert publish(policy, "default: deny").number == 2
    assert attached(other).apps == {}
    assert policy_retire(actor=OPERATOR, policy=policy)
