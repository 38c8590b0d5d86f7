"""Ways round a review, or round a tenant's border, that have to be shut."""

import pytest
from django.core.exceptions import ValidationError

from policies.models import Rollout
from policies.services.activations import policy_version_freeze
from policies.services.attachments import policy_attach, policy_detach
from policies.services.drafts import DraftChangedError, draft_create, draft_update
from policies.services.policies import policy_publish
from policies.services.reviews import review_request
from policies.services.rollouts import rollout_start, rollout_update
from tenants.models import Role
from tests.policies.lifecycle import BODY, LOOSE, STRICT, House

pytestmark = pytest.mark.usefixtures("db")


def test_a_candidate_that_nobody_approved_is_not_attached_with_its_policy():
    house = House(reviewed=True)
    admin = house.person(Role.ADMIN)
    version = policy_version_freeze(actor=admin, policy=house.policy, source=house.text(LOOSE))
    policy_detach(actor=admin, attachment=house.held)
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
