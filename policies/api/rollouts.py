"""Rollouts of the management API: candidates beside active versions, and what they change."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Whole
from audit.rest.filters import Filters, Uuid, one_of
from policies.api.drafts import named_policy
from policies.api.faults import policy_faults
from policies.api.schedules import numbered
from policies.drift import Drift, drift_of
from policies.models import Rollout
from policies.services.rollouts import (
    PERCENT_MAX,
    rollout_promote,
    rollout_start,
    rollout_stop,
    rollout_update,
)
from policies.visible import rollouts_visible
from tenants.api.belonging import OfTenant
from tenants.changes import change_alone


class RolloutShown(serializers.ModelSerializer[Rollout]):
    """A candidate beside the active version: `percent` of the keys are served it, 0: none."""

    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Rollout
        fields = (
            "id",
            "policy",
            "version",
            "percent",
            "state",
            "author",
            "created_at",
            "ended_at",
        )
        read_only_fields = fields


class CountShown(serializers.Serializer[Any]):
    """How many calls the candidate changes in one way; `served` is the version that held."""

    phase = serializers.CharField()
    change = serializers.CharField()
    served = serializers.CharField()
    calls = serializers.IntegerField()


class DriftExampleShown(serializers.Serializer[Any]):
    """A call on which the versions differ, with what the one that did not hold decided."""

    call_id = serializers.UUIDField()
    at = serializers.DateTimeField()
    phase = serializers.CharField()
    change = serializers.CharField()
    served = serializers.CharField()
    key_id = serializers.CharField()
    effect = serializers.CharField()
    rules = serializers.ListField(child=serializers.CharField())


class DriftShown(serializers.Serializer[Drift]):
    """What a candidate changed; not `complete`: only records since `since` were looked at."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    records = serializers.IntegerField()
    complete = serializers.BooleanField()
    counts = CountShown(many=True)
    examples = DriftExampleShown(many=True)


class RolloutCreate(Change):
    """Which version of which policy, and how many of the keys; none: it is only compared."""

    policy = Identity()
    version = Whole(min_value=1)
    percent = Whole(required=False, max_value=PERCENT_MAX)


class RolloutUpdate(Change):
    """How many of the keys are served the candidate."""

    percent = Whole(max_value=PERCENT_MAX)


class RolloutFilters(Filters):
    """Rollouts by policy and state."""

    policy = Uuid(field_name="policy_id")
    state = one_of(Rollout.State.choices)


class Rollouts(OfTenant):
    """Candidate versions beside active ones."""

    model = Rollout
    serializer_class = RolloutShown
    filterset_class = RolloutFilters
    bodies = {
        "create": RolloutCreate,
        "partial_update": RolloutUpdate,
        "stop": Change,
        "promote": Change,
    }
    answers = {"drift": DriftShown}
    access = {
        "list": Access("policy.read", "rollouts:read"),
        "retrieve": Access("policy.read", "rollouts:read"),
        "create": Access("rollout.start", "rollouts:write"),
        "partial_update": Access("rollout.update", "rollouts:write"),
        "stop": Access("rollout.stop", "rollouts:write"),
        "promote": Access("rollout.promote", "rollouts:write"),
        "drift": Access("record.read", "rollouts:read"),
    }

    def visible(self) -> QuerySet[Rollout]:
        """Return the rollouts that the actor may read."""
        return rollouts_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: a policy may hold for several tenants."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Let a version be judged beside the active one, and decide for some of the keys."""
        given = self.given()
        policy = named_policy(self, given.pop("policy"))
        version = numbered(policy, given.pop("version"))
        with policy_faults():
            made = rollout_start(actor=self.actor, policy=policy, version=version, **given)
        return self.made(made)

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change how many of the keys are served the candidate."""
        with self.matching() as rollout:
            rollout_update(actor=self.actor, rollout=rollout, **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def stop(self, _request: Request, **_: str) -> Response:
        """Let the active version alone decide again."""
        rollout_stop(actor=self.actor, rollout=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["post"])
    def promote(self, _request: Request, **_: str) -> Response:
        """Make the candidate the active version."""
        with policy_faults():
            rollout_promote(actor=self.actor, rollout=self.get_object(), **self.given())
        return self.show(self.get_object())

    @action(detail=True, methods=["get"])
    def drift(self, _request: Request, **_: str) -> Response:
        """Count what the candidate changes on live traffic, and show the newest calls of it."""
        return Response(DriftShown(drift_of(self.actor, self.get_object())).data)
