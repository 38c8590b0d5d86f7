"""Ways round a review, or round a tenant's border, that have to be shut."""

import datetime
from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from audit.actor import Actor
from policies.models import Review, Rollout
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.attachments import policy_attach, policy_detach
from policies.services.drafts import DraftChangedError, draft_create, draft_update
from policies.services.emergencies import policy_emergency_publish
from policies.services.exemptions import exemption_grant
from policies.services.imports import policy_import
from policies.services.policies import policy_publish
from policies.services.reviews import review_approve, review_request, review_rule_set
from policies.services.rollouts import rollout_start, rollout_update
from policies.services.schedules import schedule_create
from tenants.models import Role
from tests.policies.lifecycle import BODY, LOOSE, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")


def test_a_candidate_that_nobody_approved_is_not_attached_with_its_policy():
    house = House(reviewed=True)
    admin = house.person(Role.ADMIN)
    version = policy_version_freeze(actor=admin, policy=house.policy, source=house.text(LOOSE))
    policy_detach(actor=OPERATOR, attachment=house.held)
    rollout = rollout_start(actor=admin, policy=house.policy, version=version, percent=100)
    with pytest.raises(ValidationError, match="has to approve version 2"):
        policy_attach(actor=admin, policy=house.policy, tenant=house.tenant)
    rollout_update(actor=admin, rollout=rollout, percent=0)
    assert policy_attach(actor=admin, policy=house.policy, tenant=house.tenant)
    assert Rollout.objects.get(pk=rollout.pk).percent == 0


@pytest.mark.parametrize("later", [BODY, LOOSE])
def test_a_draft_that_was_edited_meanwhile_is_not_released_unread(later):
    house = House()
    mine = draft_create(actor=house.author(), policy=house.policy, source=house.text(STRICT))
    draft_update(
        actor=house.author(), draft=mine, revision=mine.revision, source=house.text(later + "\n")
    )
    mine.revision, mine.source = 1, house.text(STRICT)
    with pytest.raises(DraftChangedError):
        policy_publish(actor=house.approver(), policy=house.policy, source=mine.source, draft=mine)
    assert house.active == house.first
    with pytest.raises(DraftChangedError):
        review_request(actor=house.author(), draft=mine)


def released(house, source):
    """Bring a text into force in an emergency, and the first one back."""
    admin = house.person(Role.ADMIN)
    version = policy_emergency_publish(
        actor=admin, policy=house.policy, source=source, hours=1, reason="it burns"
    )
    policy_rollback(actor=admin, version=house.first)
    return version


def test_what_came_by_an_emergency_alone_comes_back_by_no_other_way():
    house = House(reviewed=True)
    admin = house.person(Role.ADMIN)
    version = released(house, house.text(LOOSE))
    soon = timezone.now() + datetime.timedelta(hours=1)
    for service, terms in (
        (policy_rollback, {"version": version}),
        (policy_activate, {"version": version}),
        (policy_publish, {"policy": house.policy, "source": version.source}),
        (rollout_start, {"policy": house.policy, "version": version, "percent": 1}),
        (schedule_create, {"policy": house.policy, "version": version, "at": soon}),
    ):
        with pytest.raises(ValidationError, match="has to approve version 2"):
            service(actor=admin, **terms)
    assert house.active == house.first


def test_nobody_approves_their_own_emergency_or_application():
    house = House(reviewed=True)
    admin = house.person(Role.ADMIN)
    policy_emergency_publish(
        actor=admin, policy=house.policy, source=house.text(LOOSE), hours=1, reason="it burns"
    )
    review = Review.objects.get(policy=house.policy)
    bot = Actor("application", "1b", "bot", memberships=admin.memberships, maker=admin.id)
    through = replace(admin, name=f"{admin.name} through bot")
    for actor in (admin, bot, through):
        with pytest.raises(PermissionDenied):
            review_approve(actor=actor, review=review)
    assert review_approve(actor=house.approver(), review=review)


def test_people_of_one_tenant_do_not_clear_a_text_for_another():
    house, other = House(), House(reviewed=True)
    policy_detach(actor=OPERATOR, attachment=house.held)
    author, approver = house.author(), house.approver()
    draft = draft_create(actor=author, policy=house.policy, source=house.text(LOOSE))
    review_approve(actor=approver, review=review_request(actor=author, draft=draft))
    policy_publish(
        actor=house.person(Role.ADMIN), policy=house.policy, source=draft.source, draft=draft
    )
    with pytest.raises(ValidationError, match="its approval stands no more"):
        policy_attach(actor=other.person(Role.ADMIN), policy=house.policy, tenant=other.tenant)


def test_a_tenant_loosens_nothing_of_the_platform():
    house, above = House(), House(BODY)
    held = policy_attach(actor=OPERATOR, policy=above.policy)
    admin, version = house.person(Role.OWNER), above.first
    soon = timezone.now() + datetime.timedelta(hours=1)
    source = above.text(LOOSE)
    try:
        for service, terms in (
            (policy_detach, {"attachment": held}),
            (policy_publish, {"policy": above.policy, "source": source}),
            (
                policy_emergency_publish,
                {"policy": above.policy, "source": source, "reason": "x", "hours": 1},
            ),
            (policy_import, {"source": source}),
            (draft_create, {"policy": above.policy, "source": source}),
            (policy_version_freeze, {"policy": above.policy, "source": source}),
            (rollout_start, {"policy": above.policy, "version": version}),
            (schedule_create, {"policy": above.policy, "version": version, "at": soon}),
            (review_rule_set, {"tenant": None}),
            (
                exemption_grant,
                {
                    "tenant": house.tenant,
                    "name": unique("free"),
                    "rules": [f"{above.policy.name}/no-streams"],
                    "expires_at": soon,
                    "reason": "x",
                },
            ),
        ):
            with pytest.raises(PermissionDenied):
                service(actor=admin, **terms)
    finally:
        policy_detach(actor=OPERATOR, attachment=held)
