"""Drafts of the management API: the text that is being worked on, checked and tested on demand."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Change, Flag, Identity, Text, Whole
from audit.rest.filters import Filters, Uuid
from audit.rest.problems import Problem
from policies.api.faults import policy_faults
from policies.api.policies import VersionShown
from policies.api.reviews import ReviewShown
from policies.judging import Judged, judged
from policies.models import Draft, Policy
from policies.pdp.yaml_text import BYTES_MAX
from policies.selectors import policies_visible
from policies.services.drafts import draft_create, draft_discard, draft_update
from policies.services.emergencies import HOURS_MAX, policy_emergency_publish
from policies.services.policies import policy_publish
from policies.services.reviews import review_request
from policies.templates import templates
from policies.visible import drafts_visible
from policies.vocabulary import names_for
from tenants.api.belonging import OfTenant
from tenants.changes import change_alone


class DraftShown(serializers.ModelSerializer[Draft]):
    """The text that is being worked on; `is_stale`: another version became active meanwhile."""

    base_version = serializers.IntegerField(
        source="base.number", read_only=True, allow_null=True, default=None
    )
    is_stale = serializers.SerializerMethodField()

    class Meta:
        model = Draft
        fields = (
            "id",
            "policy",
            "base_version",
            "is_stale",
            "source",
            "revision",
            "author",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    def get_is_stale(self, draft: Draft) -> bool:
        """Return whether the draft begins from another version than the active one."""
        return draft.base_id != draft.policy.active_id


class FaultShown(serializers.Serializer[Any]):
    """What is wrong, and where; line 0: it has no place in the text."""

    line = serializers.IntegerField()
    column = serializers.IntegerField()
    message = serializers.CharField()
    hint = serializers.CharField()


class CaseShown(serializers.Serializer[Any]):
    """One of the text's own tests."""

    name = serializers.CharField()
    passed = serializers.BooleanField()
    expected = serializers.CharField()
    got = serializers.CharField()
    line = serializers.IntegerField()


class TextJudged(serializers.Serializer[Judged]):
    """What a text would be as a policy."""

    ok = serializers.BooleanField()
    policy = serializers.CharField()
    sha256 = serializers.CharField(source="hash")
    rules = serializers.IntegerField()
    problems = FaultShown(many=True)
    tests = CaseShown(many=True)


class SourceGiven(Body):
    """A text to judge; nothing is stored."""

    source = Text(max_length=BYTES_MAX)  # type: ignore[assignment]  # a field's attribute as well


class DraftCreate(Change):
    """A new draft: of a text, of a template, or of the active version."""

    policy = Identity()
    source = Text(required=False, max_length=BYTES_MAX)  # type: ignore[assignment]  # as above
    template = Text(required=False, max_length=63)


class DraftUpdate(Change):
    """An edit; `rebase` takes the active version for the one that the draft begins from."""

    source = Text(required=False, max_length=BYTES_MAX)  # type: ignore[assignment]  # as above
    rebase = Flag(required=False)


class EmergencyGiven(Body):
    """Why it cannot wait for a review, and for how long it holds without one."""

    reason = Text(max_length=1000)
    hours = Whole(min_value=1, max_value=HOURS_MAX)


class DraftFilters(Filters):
    """Drafts by policy."""

    policy = Uuid(field_name="policy_id")


class Drafts(OfTenant):
    """Texts that are being worked on, one for each policy."""

    model = Draft
    serializer_class = DraftShown
    filterset_class = DraftFilters
    bodies = {
        "create": DraftCreate,
        "partial_update": DraftUpdate,
        "validate": SourceGiven,
        "test": SourceGiven,
        "publish": Change,
        "review": Change,
        "emergency": EmergencyGiven,
    }
    answers = {
        "validate": TextJudged,
        "test": TextJudged,
        "publish": VersionShown,
        "emergency": VersionShown,
        "review": ReviewShown,
    }
    makes = frozenset({"create", "publish", "emergency", "review"})
    repeatable = frozenset({"validate", "test"})
    access = {
        "list": Access("policy.read", "drafts:read"),
        "retrieve": Access("policy.read", "drafts:read"),
        "create": Access("draft.create", "drafts:write"),
        "partial_update": Access("draft.update", "drafts:write"),
        "destroy": Access("draft.discard", "drafts:write"),
        "validate": Access("draft.create", "drafts:write"),
        "test": Access("draft.create", "drafts:write"),
        "review": Access("review.request", "reviews:write"),
        "publish": Access("policy.publish", "policies:write", others=("policy.create",)),
        "emergency": Access("policy_emergency.publish", "policies:write"),
    }

    def visible(self) -> QuerySet[Draft]:
        """Return the drafts that the actor may read."""
        return drafts_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: a policy may hold for several tenants."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Begin a draft; it may still be wrong."""
        given = self.given()
        policy = named_policy(self, given.pop("policy"))
        template = given.pop("template", "")
        if template:
            known = templates().get(template)
            if known is None or "source" in given:
                raise ValidationError({"template": f"one of {', '.join(templates())}, or a source"})
            given["source"] = known.source(policy.name)
        return self.made(draft_create(actor=self.actor, policy=policy, **given))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change a draft that is as it was read; else both texts come back with a 409."""
        row = self.get_object()
        given = self.given()
        with transaction.atomic():
            self.hold(row)
            draft = self.get_object()
            source = given.pop("source", draft.source)
            self._check_unchanged(draft, source)
            draft_update(
                actor=self.actor, draft=draft, revision=draft.revision, source=source, **given
            )
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """Give a draft up."""
        with self.matching(required=False) as draft:
            draft_discard(actor=self.actor, draft=draft, reason=self.why())
        return self.gone()

    @action(detail=False, methods=["post"])
    def validate(self, _request: Request) -> Response:
        """Say what is wrong with a text, place by place, and what was meant; store nothing."""
        return Response(TextJudged(self._judged(with_tests=False)).data)

    @action(detail=False, methods=["post"])
    def test(self, _request: Request) -> Response:
        """Check a text and run the tests in it; store nothing."""
        return Response(TextJudged(self._judged(with_tests=True)).data)

    @action(detail=True, methods=["post"])
    def review(self, _request: Request, **_: str) -> Response:
        """Lay the text before a second person, to the letter."""
        with self.matching(required=False) as draft, policy_faults():
            review = review_request(actor=self.actor, draft=draft, **self.given())
        return Response(ReviewShown(review).data, status=HTTPStatus.CREATED)

    @action(detail=True, methods=["post"])
    def publish(self, _request: Request, **_: str) -> Response:
        """Freeze the text as a version and put it in force wherever the policy holds."""
        with self.matching(required=False) as draft, policy_faults():
            version = policy_publish(
                actor=self.actor,
                policy=draft.policy,
                source=draft.source,
                draft=draft,
                **self.given(),
            )
        return Response(VersionShown(version).data, status=HTTPStatus.CREATED)

    @action(detail=True, methods=["post"])
    def emergency(self, _request: Request, **_: str) -> Response:
        """Put the text in force without a review, for some hours: it is done afterwards."""
        with self.matching(required=False) as draft, policy_faults():
            version = policy_emergency_publish(
                actor=self.actor,
                policy=draft.policy,
                source=draft.source,
                draft=draft,
                **self.given(),
            )
        return Response(VersionShown(version).data, status=HTTPStatus.CREATED)

    def _judged(self, *, with_tests: bool) -> Judged:
        return judged(self.given()["source"], names_for(self.actor), with_tests=with_tests)

    def _check_unchanged(self, draft: Draft, source: str) -> None:
        """Raise the 409 that shows both texts where the draft is not what If-Match says."""
        try:
            self._check_match(draft, required=True)
        except Problem as problem:
            if problem.status != HTTPStatus.PRECONDITION_FAILED:
                raise
            raise Problem(
                HTTPStatus.CONFLICT,
                f"{draft.author} has edited the draft since you have read it: `current` is what it"
                " says now, `yours` what you have sent.",
                headers=problem.headers,
                more={**problem.more, "yours": source},
            ) from None


def named_policy(resource: OfTenant, policy_id: Any) -> Policy:
    """Return the policy that a body names; one that is not to be seen is not there."""
    found = policies_visible(resource.actor).select_related("active").filter(pk=policy_id).first()
    if found is None:
        raise ValidationError({"policy": "there is none of this id to be seen"})
    return found
