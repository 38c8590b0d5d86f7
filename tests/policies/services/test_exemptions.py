"""Exemptions: for whom, from what, until when, and by whose right."""

import datetime
from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actor import Actor
from policies.models import Exemption
from policies.selectors import attached, exemptions_for
from policies.services.attachments import policy_attach, policy_detach
from policies.services.exemptions import exemption_approve, exemption_grant, exemption_revoke
from policies.services.reviews import review_rule_set
from tenants.models import Role, VirtualKey
from tests.policies.lifecycle import OPERATOR, House, unique

pytestmark = pytest.mark.usefixtures("db")

DAY = datetime.timedelta(days=1)


@pytest.fixture
def house():
    return House()


@pytest.fixture
def everywhere(house):
    held = policy_attach(actor=OPERATOR, policy=house.policy)
    yield held
    policy_detach(actor=OPERATOR, attachment=held)


def granted(house, actor=None, **terms):
    wanted = {
        "tenant": house.tenant,
        "name": unique("exemption"),
        "rules": [f"{house.policy.name}/no-streams"],
        "expires_at": timezone.now() + DAY,
        "reason": "a migration",
    }
    return exemption_grant(actor=actor or house.approver(), **(wanted | terms))


def holding(house):
    return exemptions_for(house.tenant, attached(house.tenant), timezone.now())


def test_an_exemption_names_rules_callers_a_reason_and_an_end(house):
    exemption = granted(house, apps=["helpdesk"])
    (found,) = holding(house)
    assert found.name == exemption.name
    assert found.rules == {f"{house.policy.name}/no-streams"}
    assert (found.apps, found.keys) == ({"helpdesk"}, frozenset())
    assert found.expires_s == int(exemption.expires_at.timestamp())
    assert exemption.expires_at.microsecond == 0


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"reason": " "}, "takes a reason"),
        ({"expires_at": timezone.now() - DAY}, "within the next 90 days"),
        ({"expires_at": timezone.now() + 91 * DAY}, "within the next 90 days"),
        ({"rules": []}, "name one rule"),
        ({"rules": ["other/rule"]}, "no rule"),
        ({"apps": ["helpdsk"]}, 'did you mean "helpdesk"'),
        ({"keys": ["abcdefghij"]}, "there is no key"),
        ({"name": "Not a name"}, "a name is"),
    ],
)
def test_what_is_not_there_or_has_no_end_is_refused(house, terms, message):
    with pytest.raises(ValidationError, match=message):
        granted(house, **terms)


def test_a_misspelt_rule_is_answered_with_the_nearest(house):
    with pytest.raises(ValidationError, match=f'did you mean "{house.policy.name}/no-streams"'):
        granted(house, rules=[f"{house.policy.name}/no-stream"])
    assert granted(house, rules=[f"{house.policy.name}/default"])


def test_it_ends_at_its_instant_or_when_it_is_revoked(house):
    exemption = granted(house)
    later = exemption.expires_at + datetime.timedelta(seconds=1)
    assert exemptions_for(house.tenant, attached(house.tenant), later) == []
    assert exemption_revoke(actor=house.approver(), exemption=exemption)
    assert not exemption_revoke(actor=house.approver(), exemption=exemption)
    assert holding(house) == []


def test_where_texts_take_a_second_person_so_does_an_exemption(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    ann = house.approver()
    exemption = granted(house, ann)
    assert (exemption.holds_since, holding(house)) == (None, [])
    bot = Actor("application", "1b", "bot", memberships=ann.memberships, maker=ann.id)
    for actor in (ann, replace(ann, name="ann through bot"), bot, house.author()):
        with pytest.raises(PermissionDenied):
            exemption_approve(actor=actor, exemption=exemption)
    bob = house.approver()
    approved = exemption_approve(actor=bob, exemption=exemption)
    assert (approved.approver, len(holding(house))) == (bob.name, 1)
    with pytest.raises(ValidationError, match="it holds already"):
        exemption_approve(actor=bob, exemption=exemption)
    assert granted(house, OPERATOR).holds_since


def test_what_was_turned_down_or_is_over_is_not_approved(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    turned_down, over, moved = granted(house), granted(house), granted(house)
    exemption_revoke(actor=house.approver(), exemption=turned_down)
    Exemption.objects.filter(pk=over.pk).update(expires_at=timezone.now())
    Exemption.objects.filter(pk=moved.pk).update(rules=[f"{house.policy.name}/gone"])
    for exemption, why in ((turned_down, "over"), (over, "over"), (moved, "no rule")):
        with pytest.raises(ValidationError, match=why):
            exemption_approve(actor=house.approver(), exemption=exemption)
    assert holding(house) == []


def test_the_database_refuses_whoever_asked(house):
    exemption = granted(house)
    exemption.approver_identity = exemption.authors[0]
    with pytest.raises(IntegrityError, match="exemption_by_another"), transaction.atomic():
        exemption.save()


def test_it_takes_the_right_in_that_tenant(house):
    for actor in (house.author(), House().approver()):
        with pytest.raises(PermissionDenied):
            granted(house, actor)
    exemption = granted(house)
    with pytest.raises(PermissionDenied):
        exemption_revoke(actor=House().approver(), exemption=exemption)


def test_a_rule_of_the_platform_is_its_owners_to_loosen(house, everywhere):
    owner = house.person(Role.OWNER)
    with pytest.raises(PermissionDenied):
        granted(house, owner)
    with pytest.raises(PermissionDenied):
        granted(house, owner, tenant=None)
    assert granted(house, OPERATOR).by_platform
    assert len(holding(house)) == 1


def test_what_comes_to_hold_for_the_platform_is_exempted_from_no_more(house):
    """The same policy attached higher up: a tenant's exemption must not loosen it."""
    granted(house)
    assert len(holding(house)) == 1
    held = policy_attach(actor=OPERATOR, policy=house.policy)
    try:
        assert holding(house) == []
    finally:
        policy_detach(actor=OPERATOR, attachment=held)
    assert len(holding(house)) == 1


def test_the_platforms_own_holds_for_every_tenant_and_names_no_caller(house, everywhere):
    exemption = granted(house, OPERATOR, tenant=None)
    (found,) = holding(house)
    assert found.name == f"platform/{exemption.name}"
    with pytest.raises(ValidationError, match="apps and keys are a tenant's"):
        granted(house, OPERATOR, tenant=None, apps=["helpdesk"])
    exemption_revoke(actor=OPERATOR, exemption=exemption)
    assert holding(house) == []


def test_a_key_is_named_by_its_public_id(house):
    VirtualKey.objects.create(
        tenant=house.tenant, app=house.app, name="k", public_id="keyA23456z", digest=b"x" * 32
    )
    assert granted(house, keys=["keyA23456z"]).keys == ["keyA23456z"]


def test_there_are_not_more_than_a_record_can_tell(house):
    later = timezone.now() + DAY
    rows = [
        Exemption(tenant=house.tenant, name=unique("e"), rules=["a/b"], reason="r", author="t",
                  expires_at=later)
        for _ in range(50)
    ]  # fmt: skip
    Exemption.objects.bulk_create(rows)
    with pytest.raises(ValidationError, match="50 exemptions hold already"):
        granted(house)
