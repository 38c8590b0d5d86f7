"""Two people for one text: whoever wrote it does not approve it, by whichever door they come."""

import logging

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction

from audit.actor import Actor
from policies.models import Review, ReviewRule
from policies.pdp.problem import PolicyError
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.attachments import policy_attach, policy_detach
from policies.services.drafts import draft_create, draft_discard, draft_update
from policies.services.emergencies import policy_emergency_publish
from policies.services.policies import policy_create, policy_publish
from policies.services.reviews import (
    review_approve,
    review_reject,
    review_request,
    review_rule_set,
    review_rule_unset,
    review_withdraw,
)
from tenants.models import Membership, Role, User
from tenants.selectors import actor_of
from tests.policies.lifecycle import LOOSE, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def house():
    return House(reviewed=True)


def asked(house, author, body=STRICT):
    draft = draft_create(actor=author, policy=house.policy, source=house.text(body))
    return draft, review_request(actor=author, draft=draft)


def publish(actor, house, draft):
    return policy_publish(actor=actor, policy=house.policy, source=draft.source, draft=draft)


def state(review):
    return Review.objects.get(pk=review.pk).state


def test_a_text_comes_into_force_by_two_people(house):
    author, approver = house.author(), house.approver()
    draft, review = asked(house, author)
    with pytest.raises(ValidationError, match="a second person has to approve version 2"):
        publish(approver, house, draft)
    review_approve(actor=approver, review=review)
    version = publish(approver, house, draft)
    assert house.active == version
    assert version.author == author.name
    assert Review.objects.get(pk=review.pk).version == version
    assert not type(draft).objects.filter(pk=draft.pk).exists()


def test_whoever_wrote_a_text_does_not_approve_it_over_another_role(house):
    both = house.user(Role.POLICY_AUTHOR, Role.APPROVER)
    _, review = asked(house, actor_of(both))
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=actor_of(both), review=review)
    Membership.objects.filter(user=both, role=Role.POLICY_AUTHOR).delete()
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=actor_of(both), review=review)
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_reject(actor=actor_of(both), review=review, reason="no")


def test_nor_do_they_through_an_application(house):
    person = house.user(Role.OWNER)
    bot = Actor(
        "application",
        "0a1b",
        "ci",
        memberships={str(house.tenant.id): frozenset({"owner"})},
        maker=str(person.id),
    )
    draft, review = asked(house, bot)
    assert f"user:{person.id}" in draft.authors
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=actor_of(person), review=review)
    for application in (bot, Actor("application", "2c", "x", memberships=bot.memberships)):
        with pytest.raises(PermissionDenied, match="by a person"):
            review_approve(actor=application, review=review)
    assert review_approve(actor=house.approver(), review=review).state == "approved"


def test_whoever_edits_a_draft_is_one_of_its_authors(house):
    editor = house.person(Role.OWNER)
    draft = draft_create(actor=house.author(), policy=house.policy)
    draft_update(actor=editor, draft=draft, revision=1, source=house.text(STRICT))
    review = review_request(actor=house.author(), draft=draft)
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=editor, review=review)


def test_whoever_asks_for_a_review_is_one_too(house):
    asker = house.person(Role.OWNER)
    draft = draft_create(actor=house.author(), policy=house.policy, source=house.text(STRICT))
    review = review_request(actor=asker, draft=draft)
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=asker, review=review)


def test_the_database_itself_refuses_an_author_as_approver(house):
    _, review = asked(house, house.author())
    with pytest.raises(IntegrityError, match="review_by_another"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(
            state="approved", approver_identity=review.authors[0], decided_at=review.created_at
        )
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_any_edit_voids_an_approval(house):
    author, approver = house.author(), house.approver()
    draft, review = asked(house, author)
    review_approve(actor=approver, review=review)
    text = f"# one word more\n{draft.source}"
    assert draft_update(actor=author, draft=draft, revision=1, source=text)
    assert state(review) == "void"
    with pytest.raises(ValidationError, match="has to approve"):
        publish(approver, house, draft)
    draft_update(actor=author, draft=draft, revision=2, source=house.text(STRICT))
    assert state(review) == "void"
    with pytest.raises(ValidationError, match="it is void already"):
        review_approve(actor=approver, review=review)


def test_an_approval_is_of_one_text_and_of_no_other(house):
    author, approver = house.author(), house.approver()
    _, review = asked(house, author)
    review_approve(actor=approver, review=review)
    with pytest.raises(ValidationError, match="has to approve"):
        policy_publish(actor=approver, policy=house.policy, source=house.text(LOOSE))
    assert house.active == house.first


def test_a_suspended_approvers_word_stands_no_more(house):
    author, user = house.author(), house.user(Role.APPROVER)
    draft, review = asked(house, author)
    review_approve(actor=actor_of(user), review=review)
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(ValidationError, match="its approval stands no more"):
        publish(house.approver(), house, draft)
    User.objects.filter(pk=user.pk).update(is_active=True)
    Membership.objects.filter(user=user).delete()
    with pytest.raises(ValidationError, match="its approval stands no more"):
        publish(house.approver(), house, draft)
    Membership.objects.create(user=user, tenant=house.tenant, role=Role.ADMIN)
    assert publish(house.approver(), house, draft).number == 2


def test_a_rejected_text_is_not_published_and_says_why(house):
    draft, review = asked(house, house.author())
    with pytest.raises(ValidationError, match="what has to be different"):
        review_reject(actor=house.approver(), review=review, reason=" ")
    done = review_reject(actor=house.approver(), review=review, reason="too strict")
    assert (done.state, done.comment) == ("rejected", "too strict")
    with pytest.raises(ValidationError, match="has to approve"):
        publish(house.approver(), house, draft)


def test_a_request_is_made_once_and_can_be_taken_back(house):
    author = house.author()
    draft, review = asked(house, author)
    with pytest.raises(ValidationError, match="under review already"):
        review_request(actor=author, draft=draft)
    assert review_withdraw(actor=author, review=review)
    assert not review_withdraw(actor=author, review=review)
    assert review_request(actor=author, draft=draft).pk != review.pk
    draft_discard(actor=author, draft=draft)
    assert not Review.objects.filter(policy=house.policy, state="open").exists()


def test_a_text_that_is_wrong_is_not_laid_before_anybody(house):
    draft = draft_create(actor=house.author(), policy=house.policy, source="policy: {")
    with pytest.raises(PolicyError):
        review_request(actor=house.author(), draft=draft)


def test_a_draft_that_began_from_another_version_is_not_published(house):
    author, approver = house.author(), house.approver()
    draft, review = asked(house, author)
    review_approve(actor=approver, review=review)
    policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(LOOSE))
    with pytest.raises(ValidationError, match="became active since this draft was begun"):
        publish(approver, house, draft)
    draft_update(actor=author, draft=draft, revision=1, source=draft.source, rebase=True)
    assert state(review) == "void"


def test_what_holds_nowhere_takes_nobody_until_it_is_attached(house):
    author, approver = house.author(), house.approver()
    made = policy_create(actor=author, name=unique("new"))
    source = f"policy: {made.name}\n{LOOSE}"
    policy_publish(actor=author, policy=made, source=source)
    with pytest.raises(ValidationError, match="has to approve"):
        policy_attach(actor=approver, policy=made, tenant=house.tenant)
    draft = draft_create(actor=author, policy=made, source=f"{source}# to be reviewed\n")
    review = review_request(actor=author, draft=draft)
    review_approve(actor=approver, review=review)
    policy_version_freeze(actor=author, policy=made, source=draft.source)
    assert policy_attach(actor=approver, policy=made, tenant=house.tenant)


def test_a_version_that_was_in_force_here_comes_back_without_another_word(house):
    approver = house.approver()
    second = policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(LOOSE))
    assert policy_rollback(actor=approver, version=house.first)
    assert policy_rollback(actor=approver, version=second)
    assert not policy_rollback(actor=approver, version=second)
    frozen = policy_version_freeze(
        actor=house.author(), policy=house.policy, source=house.text(STRICT)
    )
    with pytest.raises(ValidationError, match="was never in force"):
        policy_rollback(actor=approver, version=frozen)
    with pytest.raises(ValidationError, match="has to approve"):
        policy_activate(actor=approver, version=frozen)


def test_what_was_in_force_elsewhere_is_not_cleared_here(house):
    """Active while attached nowhere does not count, nor does another tenant."""
    approver = house.approver()
    policy_detach(actor=OPERATOR, attachment=house.held)
    policy_publish(actor=house.author(), policy=house.policy, source=house.text(STRICT))
    policy_publish(actor=house.author(), policy=house.policy, source=house.text("default: permit"))
    policy_activate(actor=house.person(Role.ADMIN), version=house.first)
    policy_attach(actor=approver, policy=house.policy, tenant=house.tenant)
    with pytest.raises(ValidationError, match="has to approve"):
        policy_rollback(actor=approver, version=house.version(2))


def test_an_emergency_skips_the_review_and_leaves_it_open(house, caplog):
    admin, approver = house.person(Role.ADMIN), house.approver()
    terms = {"policy": house.policy, "source": house.text(STRICT), "hours": 1}
    with pytest.raises(PermissionDenied):
        policy_emergency_publish(actor=approver, reason="fire", **terms)
    with pytest.raises(ValidationError, match="takes a reason"):
        policy_emergency_publish(actor=admin, reason=" ", **terms)
    with caplog.at_level(logging.WARNING):
        version = policy_emergency_publish(actor=admin, reason="a leak", **terms)
    assert "policy_emergency" in caplog.messages
    assert house.active == version
    (review,) = Review.objects.filter(policy=house.policy, state="open")
    assert (review.afterwards, review.version, review.request) == (True, version, "a leak")
    with pytest.raises(PermissionDenied, match="had a hand in"):
        review_approve(actor=admin, review=review)
    with pytest.raises(ValidationError, match="has to be reviewed"):
        review_withdraw(actor=admin, review=review)
    policy_rollback(actor=approver, version=house.first)
    with pytest.raises(ValidationError, match="has to approve"):  # nobody has looked at it yet
        policy_rollback(actor=approver, version=version)
    review_approve(actor=approver, review=review)
    assert policy_rollback(actor=approver, version=version)


def test_a_file_that_whoever_operates_the_machine_declares_is_reviewed_where_it_is(house):
    assert (
        policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(STRICT)).number == 2
    )


def test_the_rule_of_the_platform_holds_everywhere():
    house = House()
    rule = review_rule_set(actor=OPERATOR, tenant=None)
    try:
        with pytest.raises(ValidationError, match="has to approve"):
            policy_publish(actor=house.approver(), policy=house.policy, source=house.text(STRICT))
    finally:
        review_rule_unset(actor=OPERATOR, rule=rule)
    policy_publish(actor=house.approver(), policy=house.policy, source=house.text(STRICT))


def test_only_an_owner_says_where_a_review_is_wanted(house):
    for role in (Role.ADMIN, Role.APPROVER):
        with pytest.raises(PermissionDenied):
            review_rule_unset(actor=house.person(role), rule=house.rule)
    with pytest.raises(PermissionDenied):
        review_rule_set(actor=house.person(Role.OWNER), tenant=None)
    review_rule_unset(actor=house.person(Role.OWNER), rule=house.rule)
    assert not ReviewRule.objects.filter(tenant=house.tenant).exists()


def test_without_a_rule_one_person_publishes_as_before():
    house = House()
    version = policy_publish(actor=house.approver(), policy=house.policy, source=house.text(STRICT))
    assert house.active == version
