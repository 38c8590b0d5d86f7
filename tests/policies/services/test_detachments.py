"""Letting go of a policy where a text takes a second person: no one does it alone."""

from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from audit.models import Event
from policies.models import Attachment
from policies.services.attachments import (
    policy_attach,
    policy_detach,
    policy_detach_withdraw,
)
from policies.services.policies import policy_publish
from policies.services.reviews import review_rule_set, review_rule_unset
from tenants.models import Role
from tenants.selectors import actor_of
from tests.policies.lifecycle import OPERATOR, STRICT, House

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def house():
    return House(reviewed=True)


def holds(house):
    return Attachment.objects.filter(pk=house.held.pk).exists()


def events(house, action):
    found = Event.objects.filter(action=action, object_id=str(house.held.pk))
    return [event.reason for event in found.order_by("id")]


def test_one_person_asks_and_another_one_confirms(house):
    first, second = house.approver(), house.approver()
    before = house.tenant.__class__.objects.get(pk=house.tenant.pk).revision
    assert policy_detach(actor=first, attachment=house.held, reason="too strict") is False
    assert holds(house)
    stored = Attachment.objects.get(pk=house.held.pk)
    assert (stored.detach_asked_by, stored.detach_reason) == (first.name, "too strict")
    assert house.tenant.__class__.objects.get(pk=house.tenant.pk).revision == before
    assert policy_detach(actor=second, attachment=house.held, reason="agreed") is True
    assert not holds(house)
    assert house.tenant.__class__.objects.get(pk=house.tenant.pk).revision > before
    assert events(house, "policy_detach.request") == ["too strict"]
    assert events(house, "policy.detach") == ["agreed"]


def test_whoever_asked_does_not_confirm_by_any_way(house):
    user = house.user(Role.ADMIN, Role.APPROVER)
    asking = actor_of(user)
    policy_detach(actor=asking, attachment=house.held)
    through = replace(asking, name=f"{asking.name} through a tool")
    bot = replace(asking, kind="application", id="7", maker=str(user.pk), name="bot")
    for actor in (asking, through, bot):
        with pytest.raises(PermissionDenied):
            policy_detach(actor=actor, attachment=house.held)
    assert holds(house)


def test_what_an_application_asked_for_its_maker_does_not_confirm(house):
    user = house.user(Role.ADMIN)
    maker = actor_of(user)
    bot = replace(maker, kind="application", id="7", maker=str(user.pk), name="bot")
    assert policy_detach(actor=bot, attachment=house.held) is False
    with pytest.raises(PermissionDenied, match="does not confirm"):
        policy_detach(actor=maker, attachment=house.held)
    assert policy_detach(actor=house.approver(), attachment=house.held)


def test_what_is_kept_has_to_be_asked_for_anew(house):
    first, second = house.approver(), house.approver()
    policy_detach(actor=first, attachment=house.held)
    assert policy_detach_withdraw(actor=second, attachment=house.held, reason="we need it")
    assert not policy_detach_withdraw(actor=second, attachment=house.held)
    assert events(house, "policy_detach.withdraw") == ["we need it"]
    assert policy_detach(actor=second, attachment=house.held) is False
    assert holds(house)
    assert policy_detach(actor=first, attachment=house.held)


def test_a_question_from_before_the_rule_was_lifted_stops_nobody(house):
    first = house.approver()
    policy_detach(actor=first, attachment=house.held)
    review_rule_unset(actor=house.person(Role.OWNER), rule=house.rule)
    assert policy_detach(actor=first, attachment=house.held)


def test_a_question_is_over_when_another_version_comes_into_force(house):
    first, second = house.approver(), house.approver()
    policy_detach(actor=first, attachment=house.held)
    policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(STRICT))
    assert policy_detach(actor=second, attachment=house.held, reason="v2 too") is False
    assert Attachment.objects.get(pk=house.held.pk).detach_reason == "v2 too"
    assert policy_detach(actor=first, attachment=house.held)


def test_a_question_of_somebody_who_may_not_any_longer_is_over(house):
    user = house.user(Role.APPROVER)
    policy_detach(actor=actor_of(user), attachment=house.held)
    user.memberships.all().delete()
    assert policy_detach(actor=house.approver(), attachment=house.held) is False
    assert holds(house)


def test_of_two_who_confirm_the_second_is_told(house):
    policy_detach(actor=house.approver(), attachment=house.held)
    assert policy_detach(actor=house.approver(), attachment=house.held)
    for service in (policy_detach, policy_detach_withdraw):
        with pytest.raises(ValidationError, match="holds no more"):
            service(actor=house.approver(), attachment=house.held)


def test_the_hold_on_one_app_takes_two_as_well(house):
    policy = House().policy
    held = policy_attach(actor=OPERATOR, policy=policy, tenant=house.tenant, app=house.app)
    assert policy_detach(actor=house.approver(), attachment=held) is False
    assert Attachment.objects.filter(pk=held.pk).exists()


def test_the_rule_of_the_platform_binds_every_tenant():
    house = House()
    rule = review_rule_set(actor=OPERATOR, tenant=None)
    try:
        assert policy_detach(actor=house.approver(), attachment=house.held) is False
    finally:
        review_rule_unset(actor=OPERATOR, rule=rule)
    assert holds(house)


def test_whoever_operates_the_machine_is_reviewed_elsewhere(house):
    assert policy_detach(actor=OPERATOR, attachment=house.held)


def test_without_the_right_nobody_asks_confirms_or_keeps(house):
    for role in (Role.POLICY_AUTHOR, Role.AUDITOR):
        for service in (policy_detach, policy_detach_withdraw):
            with pytest.raises(PermissionDenied):
                service(actor=house.person(role), attachment=house.held)
    assert Attachment.objects.get(pk=house.held.pk).detach_asked_at is None
