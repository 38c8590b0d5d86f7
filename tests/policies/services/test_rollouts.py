"""A candidate beside the active version: in shadow, for some keys, then for all or for none."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from policies.models import Rollout
from policies.selectors import attached
from policies.services.activations import policy_activate, policy_version_freeze
from policies.services.attachments import policy_attach
from policies.services.policies import policy_publish
from policies.services.rollouts import (
    rollout_promote,
    rollout_start,
    rollout_stop,
    rollout_update,
)
from tests.policies.lifecycle import LOOSE, OPERATOR, STRICT, House

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def house():
    return House()


def started(house, percent=0, body=STRICT, actor=OPERATOR):
    version = policy_version_freeze(actor=OPERATOR, policy=house.policy, source=house.text(body))
    return rollout_start(actor=actor, policy=house.policy, version=version, percent=percent)


def state(rollout):
    return Rollout.objects.get(pk=rollout.pk).state


def test_a_candidate_stands_beside_and_is_promoted(house):
    rollout = started(house, actor=house.approver())
    assert attached(house.tenant).candidates == {house.policy.name: rollout.version}
    assert house.active == house.first
    assert rollout_update(actor=house.approver(), rollout=rollout, percent=20)
    assert not rollout_update(actor=house.approver(), rollout=rollout, percent=20)
    rollout_promote(actor=house.approver(), rollout=rollout)
    assert (house.active, state(rollout)) == (rollout.version, "promoted")
    assert attached(house.tenant).candidates == {}


def test_it_can_be_stopped_and_begun_again(house):
    rollout = started(house)
    with pytest.raises(ValidationError, match="has a candidate already"):
        started(house, body=LOOSE)
    rollout_stop(actor=OPERATOR, rollout=rollout)
    assert (house.active, state(rollout)) == (house.first, "stopped")
    for change in (rollout_stop, rollout_promote):
        with pytest.raises(ValidationError, match="it is stopped already"):
            change(actor=OPERATOR, rollout=rollout)
    assert state(started(house)) == "running"


def test_another_version_in_force_ends_it(house):
    rollout = started(house)
    policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(LOOSE))
    assert state(rollout) == "superseded"
    second = started(house, body=STRICT)
    policy_activate(actor=OPERATOR, version=second.version)
    assert (house.active, state(second)) == (second.version, "superseded")


def test_a_candidate_is_another_version_of_the_same_policy(house):
    for version in (house.first, House().first):
        with pytest.raises(ValidationError):
            rollout_start(actor=OPERATOR, policy=house.policy, version=version)
    for percent in (-1, 101):
        with pytest.raises(ValidationError, match="between 0"):
            started(house, percent)


def test_two_candidates_do_not_concern_one_app(house):
    started(house)
    other = House()
    policy_attach(actor=OPERATOR, policy=other.policy, tenant=house.tenant)
    with pytest.raises(ValidationError, match="both have a candidate version"):
        started(other)
    third = House()
    started(third)
    with pytest.raises(ValidationError, match="both have a candidate version"):
        policy_attach(actor=OPERATOR, policy=third.policy, tenant=house.tenant)


def test_in_shadow_nobody_has_to_approve_it_but_for_the_first_key():
    house = House(reviewed=True)
    approver = house.approver()
    rollout = started(house, actor=approver)
    with pytest.raises(ValidationError, match="has to approve"):
        rollout_update(actor=approver, rollout=rollout, percent=1)
    with pytest.raises(ValidationError, match="has to approve"):
        rollout_promote(actor=approver, rollout=rollout)
    rollout_stop(actor=approver, rollout=rollout)
    with pytest.raises(ValidationError, match="has to approve"):
        started(house, percent=1, actor=approver)


def test_it_takes_the_right_to_do_so_there(house):
    for actor in (house.author(), House().approver()):
        with pytest.raises(PermissionDenied):
            started(house, actor=actor)
