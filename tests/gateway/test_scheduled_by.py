"""A version that an application scheduled: only where that application may still do so."""

import datetime

import pytest
from django.utils import timezone

from audit.actor import task
from gateway.selectors import application_actor
from policies.models import Schedule
from policies.services.activations import policy_version_freeze
from policies.services.attachments import policy_attach, policy_detach
from policies.services.schedules import schedule_create, schedule_perform
from tests.management import application
from tests.policies.lifecycle import LOOSE, OPERATOR, House

pytestmark = pytest.mark.usefixtures("db")

BEAT = task("gateway.bring_into_force")


@pytest.fixture
def house():
    return House()


def planned(house, made):
    version = policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(LOOSE))
    at = timezone.now() + datetime.timedelta(hours=1)
    actor = application_actor(str(made.id))
    schedule = schedule_create(actor=actor, policy=house.policy, version=version, at=at)
    Schedule.objects.filter(pk=schedule.pk).update(at=timezone.now())
    return schedule


def test_it_comes_into_force_where_the_application_may(house):
    made, _ = application(house.tenant, "approver")
    schedule = planned(house, made)
    assert schedule_perform(actor=BEAT, schedule=schedule)
    assert house.active == schedule.version


def test_not_in_a_tenant_where_it_holds_by_now_and_the_application_has_no_role(house):
    other = House()
    made, _ = application(house.tenant, "approver")
    policy_detach(actor=OPERATOR, attachment=house.held)
    schedule = planned(house, made)
    policy_attach(actor=OPERATOR, policy=house.policy, tenant=other.tenant)
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert "may not do so any longer" in Schedule.objects.get(pk=schedule.pk).note
    assert house.active == house.first


def test_nor_once_the_application_is_gone(house):
    made, _ = application(house.tenant, "approver")
    schedule = planned(house, made)
    made.delete()
    assert application_actor(str(made.id)) is None
    assert application_actor("no uuid") is None
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert house.active == house.first
