"""A version that comes into force at an instant, unless that has become impossible."""

import datetime

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from audit.actor import task
from gateway.tasks import bring_into_force
from policies.models import Activation, Schedule
from policies.services.activations import policy_version_freeze
from policies.services.attachments import policy_detach
from policies.services.drafts import draft_create
from policies.services.policies import policy_retire
from policies.services.reviews import review_approve, review_request
from policies.services.schedules import schedule_cancel, schedule_create, schedule_perform
from tenants.models import Membership, Role, User
from tenants.selectors import actor_of
from tests.policies.lifecycle import OPERATOR, STRICT, House

pytestmark = pytest.mark.usefixtures("db")

BEAT = task("gateway.bring_into_force")
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def house():
    return House()


def frozen(house, body=STRICT):
    return policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(body))


def planned(house, actor=None, at=None):
    return schedule_create(
        actor=actor or house.approver(),
        policy=house.policy,
        version=frozen(house),
        at=at or timezone.now() + HOUR,
    )


def due(schedule, late_s=0):
    at = timezone.now() - datetime.timedelta(seconds=late_s)
    Schedule.objects.filter(pk=schedule.pk).update(at=at)
    return schedule


def stored(schedule):
    return Schedule.objects.get(pk=schedule.pk)


def test_nothing_happens_before_the_instant(house):
    schedule = planned(house)
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert house.active == house.first
    assert schedule_perform(actor=BEAT, schedule=due(schedule))
    assert house.active == schedule.version
    assert (stored(schedule).state, stored(schedule).note) == ("done", "")
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert Activation.objects.filter(version=schedule.version).get().kind == "schedule"


def test_the_task_of_beat_brings_what_is_due_and_nothing_else(house):
    other = House()
    due(planned(house))
    planned(other)
    bring_into_force()
    assert house.active.number == 2
    assert other.active == other.first


def test_late_is_told(house):
    schedule = due(planned(house), late_s=90)
    assert schedule_perform(actor=BEAT, schedule=schedule)
    assert stored(schedule).note == "90 s late"


def test_one_version_waits_at_a_time(house):
    schedule = planned(house)
    with pytest.raises(ValidationError, match="waits already"):
        planned(house)
    assert schedule_cancel(actor=house.approver(), schedule=schedule)
    assert not schedule_cancel(actor=house.approver(), schedule=schedule)
    assert not schedule_perform(actor=BEAT, schedule=due(schedule))
    assert house.active == house.first
    done = due(planned(house))
    schedule_perform(actor=BEAT, schedule=done)
    with pytest.raises(ValidationError, match="it is done already"):
        schedule_cancel(actor=house.approver(), schedule=done)


@pytest.mark.parametrize("ahead", [-HOUR, datetime.timedelta(0), 400 * 24 * HOUR])
def test_an_instant_lies_ahead_and_not_too_far(house, ahead):
    with pytest.raises(ValidationError, match="within the next 366 days"):
        planned(house, at=timezone.now() + ahead)


def test_it_takes_the_right_to_schedule_there(house):
    for actor in (house.author(), House().approver()):
        with pytest.raises(PermissionDenied):
            planned(house, actor)
    with pytest.raises(ValidationError, match="of another policy"):
        schedule_create(
            actor=house.approver(),
            policy=house.policy,
            version=House().first,
            at=timezone.now() + HOUR,
        )


def test_whoever_scheduled_it_must_still_be_allowed_to(house):
    user = house.user(Role.APPROVER)
    schedule = due(planned(house, actor_of(user)))
    Membership.objects.filter(user=user).delete()
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert stored(schedule).state == "failed"
    assert "may not do so any longer" in stored(schedule).note
    assert house.active == house.first


def test_a_review_that_stands_no_more_stops_it():
    house = House(reviewed=True)
    author, approver = house.author(), house.user(Role.APPROVER)
    with pytest.raises(ValidationError, match="has to approve"):
        planned(house)
    draft = draft_create(actor=author, policy=house.policy, source=house.text(STRICT))
    review = review_request(actor=author, draft=draft)
    review_approve(actor=actor_of(approver), review=review)
    schedule = due(planned(house))
    User.objects.filter(pk=approver.pk).update(is_active=False)
    assert not schedule_perform(actor=BEAT, schedule=schedule)
    assert "its approval stands no more" in stored(schedule).note


def test_what_is_taken_out_of_use_comes_into_force_no_more(house):
    schedule = planned(house)
    policy_detach(actor=OPERATOR, attachment=house.held)
    policy_retire(actor=OPERATOR, policy=house.policy)
    assert stored(schedule).state == "cancelled"
