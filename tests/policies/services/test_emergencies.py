"""An emergency ends by itself, unless somebody else has approved what it brought."""

import datetime
import logging

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from audit.actor import task
from audit.models import Event
from gateway.services.routes import route_create
from gateway.tasks import end_emergencies
from policies.models import Activation, Emergency, Review
from policies.services.activations import policy_rollback, policy_version_freeze
from policies.services.attachments import policy_attach, policy_detach
from policies.services.emergencies import policy_emergency_expire, policy_emergency_publish
from policies.services.policies import policy_create, policy_publish, policy_retire
from policies.services.reviews import review_approve, review_reject
from policies.services.rollouts import rollout_start
from tenants.models import Role
from tests.policies.lifecycle import BODY, LOOSE, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")

BEAT = task("gateway.end_emergencies")
ROUTED = "default: permit\nrules:\n  - {id: elsewhere, when: true, route: "


@pytest.fixture
def house():
    return House(reviewed=True)


def emergency(house, body=STRICT, hours=4):
    admin = house.person(Role.ADMIN)
    policy_emergency_publish(
        actor=admin, policy=house.policy, source=house.text(body), hours=hours, reason="a leak"
    )
    return Emergency.objects.get(policy=house.policy, state="running")


def due(made):
    Emergency.objects.filter(pk=made.pk).update(expires_at=timezone.now())
    return made


def state(made):
    return Emergency.objects.get(pk=made.pk).state


def test_what_was_before_comes_back_when_nobody_has_approved_in_time(house, caplog):
    made = emergency(house)
    assert made.before == house.first
    left = made.expires_at - timezone.now()
    assert datetime.timedelta(hours=3.9) < left <= datetime.timedelta(hours=4)
    assert not policy_emergency_expire(actor=BEAT, emergency=made)
    assert house.active == made.version
    due(made)
    with caplog.at_level(logging.WARNING):
        end_emergencies()
    assert "policy_emergency_expired" in caplog.messages
    assert (house.active, state(made)) == (house.first, "expired")
    newest = Activation.objects.filter(policy=house.policy).latest("id")
    assert (newest.kind, newest.version, newest.actor) == ("expire", house.first, BEAT.name)
    event = Event.objects.filter(action="policy_emergency.expire").last()
    assert (event.before, event.after["active"]) == ({"active": 2}, 1)
    assert not policy_emergency_expire(actor=BEAT, emergency=made)


def test_what_somebody_else_approved_stays(house):
    made = emergency(house)
    review_approve(actor=house.approver(), review=made.review)
    assert state(made) == "approved"
    due(made)
    end_emergencies()
    assert house.active == made.version


def test_a_rejected_one_ends_all_the_same(house):
    made = emergency(house)
    review_reject(actor=house.approver(), review=made.review, reason="no")
    assert (state(made), house.active) == ("running", made.version)
    assert policy_emergency_expire(actor=BEAT, emergency=due(made))
    assert house.active == house.first


def test_whatever_comes_into_force_otherwise_ends_it(house):
    made = emergency(house)
    policy_rollback(actor=house.approver(), version=house.first)
    assert state(made) == "superseded"
    second = emergency(house, LOOSE)
    policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(BODY + "# three\n"))
    assert (house.active.number, state(second)) == (1, "superseded")
    third = emergency(house, LOOSE)
    policy_detach(actor=OPERATOR, attachment=house.held)
    policy_retire(actor=OPERATOR, policy=house.policy)
    assert state(third) == "superseded"
    due(third)
    end_emergencies()
    assert house.active is None


def test_one_emergency_after_another_leads_back_to_before_the_first(house):
    first = emergency(house)
    second = emergency(house, LOOSE)
    assert (state(first), second.before) == ("superseded", house.first)
    with pytest.raises(ValidationError, match="version 1 says this, and was in force before"):
        emergency(house, BODY)
    assert policy_emergency_expire(actor=BEAT, emergency=due(second))
    assert house.active == house.first


def test_what_ended_comes_back_by_approval_alone(house):
    made = emergency(house)
    policy_emergency_expire(actor=BEAT, emergency=due(made))
    approver = house.approver()
    with pytest.raises(ValidationError, match="has to approve"):
        policy_rollback(actor=approver, version=made.version)
    review_approve(actor=approver, review=Review.objects.get(pk=made.review_id))
    assert policy_rollback(actor=approver, version=made.version)


def test_a_candidate_beside_it_ends_with_it(house):
    made = emergency(house)
    other = policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(LOOSE))
    rollout = rollout_start(actor=OPERATOR, policy=house.policy, version=other)
    assert policy_emergency_expire(actor=BEAT, emergency=due(made))
    rollout.refresh_from_db()
    assert rollout.state == "superseded"


@pytest.mark.parametrize("hours", [0, -1, 73])
def test_it_lasts_some_hours_and_no_more(house, hours):
    with pytest.raises(ValidationError, match="1 to 72 hours"):
        emergency(house, hours=hours)


def test_it_replaces_something_that_can_come_back(house):
    empty = policy_create(actor=OPERATOR, name=unique("empty"))
    terms = {"source": f"policy: {empty.name}\n{LOOSE}", "hours": 1, "reason": "x"}
    with pytest.raises(ValidationError, match="nothing is in force that could come back"):
        policy_emergency_publish(actor=OPERATOR, policy=empty, **terms)
    with pytest.raises(PermissionDenied):
        policy_emergency_expire(actor=house.person(Role.OWNER), emergency=emergency(house))


def test_what_clashes_when_it_is_over_stays_and_says_why(house, caplog):
    made = emergency(house, LOOSE)
    Emergency.objects.filter(pk=made.pk).update(before=clashing(house))
    with caplog.at_level(logging.WARNING):
        assert not policy_emergency_expire(actor=BEAT, emergency=due(made))
    stored = Emergency.objects.get(pk=made.pk)
    assert (stored.state, house.active) == ("failed", made.version)
    assert "route" in stored.note
    assert "policy_emergency_stays" in caplog.messages
    event = Event.objects.filter(action="policy_emergency.expire").last()
    assert event.after["state"] == "failed"
    assert not policy_emergency_expire(actor=BEAT, emergency=made)


def clashing(house):
    """Return a version of the policy that does not go with another one of the tenant."""
    model = route_create(actor=OPERATOR, name=unique("model")).name
    other = policy_create(actor=OPERATOR, name=unique("other"))
    source = f"policy: {other.name}\n{ROUTED}{model}}}\n"
    policy_publish(actor=OPERATOR, policy=other, source=source)
    policy_attach(actor=OPERATOR, policy=other, tenant=house.tenant)
    text = house.text(f"{ROUTED}{model}}}\n")
    return policy_version_freeze(actor=OPERATOR, policy=house.policy, source=text)
