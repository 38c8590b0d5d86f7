"""Schedules of the management API: versions that come into force at an instant."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Identity, Recorded, Whole
from audit.rest.filters import Filters, Uuid, one_of
from policies.api.drafts import named_policy
from policies.api.faults import policy_faults
from policies.models import Policy, PolicyVersion, Schedule
from policies.services.schedules import schedule_cancel, schedule_create
from policies.visible import schedules_visible
from tenants.api.belonging import OfTenant
from tenants.changes import change_alone


class ScheduleShown(serializers.ModelSerializer[Schedule]):
    """A version and its instant; `note` says why it did not come into force, or how late."""

    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Schedule
        fields = (
            "id",
            "policy",
            "version",
            "at",
            "state",
            "author",
            "note",
            "created_at",
            "done_at",
        )
        read_only_fields = fields


class ScheduleCreate(Change):
    """Which version of which policy, and when."""

    policy = Identity()
    version = Whole(min_value=1)
    at = Recorded()


class ScheduleFilters(Filters):
    """Schedules by policy and state."""

    policy = Uuid(field_name="policy_id")
    state = one_of(Schedule.State.choices)


class Schedules(OfTenant):
    """Versions that come into force at an instant."""

    model = Schedule
    serializer_class = ScheduleShown
    filterset_class = ScheduleFilters
    bodies = {"create": ScheduleCreate, "cancel": Change}
    access = {
        "list": Access("policy.read", "schedules:read"),
        "retrieve": Access("policy.read", "schedules:read"),
        "create": Access("schedule.create", "schedules:write"),
        "cancel": Access("schedule.cancel", "schedules:write"),
    }

    def visible(self) -> QuerySet[Schedule]:
        """Return the schedules that the actor may read."""
        return schedules_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: a policy may hold for several tenants."""
        change_alone()

    def create(self, _request: Request) -> Response:
        """Let a frozen version come into force at an instant."""
        given = self.given()
        policy = named_policy(self, given.pop("policy"))
        version = numbered(policy, given.pop("version"))
        with policy_faults():
            made = schedule_create(actor=self.actor, policy=policy, version=version, **given)
        return self.made(made)

    @action(detail=True, methods=["post"])
    def cancel(self, _request: Request, **_: str) -> Response:
        """Let a version that waits not come into force."""
        schedule_cancel(actor=self.actor, schedule=self.get_object(), **self.given())
        return self.show(self.get_object())


def numbered(policy: Policy, number: int) -> PolicyVersion:
    """Return the version of a policy that a body names."""
    found = PolicyVersion.objects.filter(policy=policy, number=number).first()
    if found is None:
        raise ValidationError({"version": f"{policy.name} has no version {number}"})
    return found
