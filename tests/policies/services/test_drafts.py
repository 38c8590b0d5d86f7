"""Drafts: one for each policy, and no edit of it is lost."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from policies.models import Draft
from policies.pdp.problem import PolicyError
from policies.services.drafts import (
    DraftChangedError,
    draft_create,
    draft_discard,
    draft_update,
)
from policies.services.imports import policy_import
from tenants.models import Role
from tests.policies.lifecycle import BODY, LOOSE, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def house():
    return House()


def test_a_draft_begins_with_the_active_text_and_may_be_wrong(house):
    draft = draft_create(actor=house.author(), policy=house.policy)
    assert (draft.source, draft.base, draft.revision) == (house.text(BODY), house.first, 1)
    assert draft_update(actor=house.author(), draft=draft, revision=1, source="policy: {")
    assert not draft_update(actor=house.author(), draft=draft, revision=2, source="policy: {")
    assert Draft.objects.get(pk=draft.pk).revision == 2
    assert house.active == house.first


def test_a_policy_has_one_draft(house):
    draft = draft_create(actor=house.author(), policy=house.policy)
    with pytest.raises(ValidationError, match="has a draft already"):
        draft_create(actor=house.author(), policy=house.policy)
    draft_discard(actor=house.author(), draft=draft)
    assert draft_create(actor=house.author(), policy=house.policy, source="x").source == "x"


def test_two_editors_do_not_overwrite_one_another(house):
    ann, bob = house.author(), house.author()
    draft = draft_create(actor=ann, policy=house.policy)
    draft_update(actor=ann, draft=draft, revision=1, source=house.text(STRICT))
    with pytest.raises(DraftChangedError, match=f"{ann.name} has edited") as conflict:
        draft_update(actor=bob, draft=draft, revision=1, source=house.text(LOOSE))
    assert conflict.value.current.source == house.text(STRICT)
    draft_update(actor=bob, draft=draft, revision=2, source=house.text(LOOSE))
    stored = Draft.objects.get(pk=draft.pk)
    assert (stored.revision, stored.author) == (3, bob.name)
    assert stored.authors == sorted([f"user:{ann.id}", f"user:{bob.id}"])


def test_a_text_has_an_end(house):
    with pytest.raises(ValidationError, match="at most"):
        draft_create(actor=house.author(), policy=house.policy, source="é" * 40_000)


def test_whoever_may_not_draft_where_the_policy_holds_does_not(house):
    for actor in (house.approver(), House().author()):
        with pytest.raises(PermissionDenied):
            draft_create(actor=actor, policy=house.policy)
    assert draft_create(actor=house.person(Role.ADMIN), policy=house.policy)


def test_what_is_imported_becomes_a_draft_and_holds_nowhere(house):
    name = unique("imported")
    draft = policy_import(actor=house.author(), source=f"policy: {name}\n{STRICT}")
    assert (draft.policy.name, draft.policy.active, draft.base) == (name, None, None)
    draft = policy_import(actor=house.author(), source=house.text(STRICT))
    assert (draft.policy, draft.base) == (house.policy, house.first)
    with pytest.raises(ValidationError, match="has a draft already"):
        policy_import(actor=house.author(), source=house.text(STRICT))
    with pytest.raises(PolicyError):
        policy_import(actor=house.author(), source="policy: x\nrules: 5\n")
    with pytest.raises(PermissionDenied):
        policy_import(actor=House().author(), source=house.text(LOOSE))
    assert policy_import(actor=OPERATOR, source=f"policy: {unique('p')}\n").revision == 1
