"""Usage of the management API: what was used over time, and by whom; from rollups alone."""

import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Choice, Count, Identity, Recorded, Set, Text
from audit.rest.pages import SIZE_MAX
from tenants.api.belonging import Naming
from tenants.models import Tenant, UsageRollup
from tenants.permissions import require
from tenants.usage.pruning import usage_hours_since
from tenants.usage.reading import COUNTS, UsageWanted, usage_by, usage_series

DAYS_MAX = {"hour": 31, "day": 400}
LINES = 100
VALUES_MAX = 100
LISTS = {
    "app": "apps", "key": "keys", "model": "models", "user": "users", "tag": "tags",
    "currency": "currencies",
}  # fmt: skip
"""What a filter is called in the address, and in what is wanted."""

Shown = serializers.Serializer[Any]


class FiguresShown(Shown):
    """What was used; costs by currency in its millionths, and what kept answers saved; latencies of
    permitted calls."""

    cost_micros = serializers.DictField(child=serializers.IntegerField())
    saved_micros = serializers.DictField(child=serializers.IntegerField())
    p50_ms = serializers.IntegerField(allow_null=True)
    p95_ms = serializers.IntegerField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the counts, and the rest."""
        return {name: serializers.IntegerField() for name in COUNTS} | super().get_fields()


class PointShown(Shown):
    """An hour or a day of the tenant's calendar."""

    start = serializers.DateTimeField()
    figures = FiguresShown()


class SeriesShown(Shown):
    """Usage over time, no window left out; complete up to `as_of`, null before the first rollup."""

    points = PointShown(many=True)
    totals = FiguresShown()
    as_of = serializers.DateTimeField(allow_null=True)


class LineShown(Shown):
    """One value of a dimension, and how people call it."""

    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field's attribute as well
    figures = FiguresShown()


class BreakdownShown(Shown):
    """Usage by the values of a dimension, dearest first; `totals` counts those left out, too."""

    lines = LineShown(many=True)
    totals = FiguresShown()
    as_of = serializers.DateTimeField(allow_null=True)


def _any_of(value: serializers.Field[Any, Any, Any, Any]) -> Set:
    return Set(child=value, required=False, max_length=VALUES_MAX)


class UsageAsked(Body):
    """Windows that begin from `since` on and before `until`, and which calls count in them.

    A filter that stands several times takes any of its values. `key` is a key's public id, `tag` is
    written name=value: of several names, a call must have one of each.
    """

    since = Recorded()
    until = Recorded()
    app = _any_of(Identity())
    key = _any_of(Text(max_length=10))
    model = _any_of(Text(max_length=120))
    user = _any_of(Text(max_length=200))
    tag = _any_of(Text(max_length=300))
    currency = _any_of(Text(min_length=3, max_length=3))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a range that is none, or longer than its granularity allows."""
        granularity = attrs.get("granularity", "day")
        length, most = attrs["until"] - attrs["since"], DAYS_MAX[granularity]
        if length <= datetime.timedelta():
            raise serializers.ValidationError({"until": ["it is not after since"]})
        if length > datetime.timedelta(days=most):
            raise serializers.ValidationError(
                {"until": [f"by the {granularity}, a range is at most {most} days"]}
            )
        return attrs


class SeriesAsked(UsageAsked):
    """Usage of one tenant over time."""

    tenant = Identity()
    granularity = Choice(UsageRollup.Granularity.choices, required=False, default="day")


class BreakdownAsked(UsageAsked):
    """Usage by app, key, model, user, currency, tenant or tag:<name>, of all tenants or of one."""

    tenant = Identity(required=False)
    dimension = Text(max_length=80)
    limit = Count(required=False, min_value=1, max_value=SIZE_MAX, default=LINES)


class Usage(Naming):
    """What was used."""

    model = UsageRollup
    serializer_class = SeriesShown
    queries = {"list": SeriesAsked, "breakdown": BreakdownAsked}
    answers: ClassVar[Any] = {"breakdown": BreakdownShown}
    access = {
        "list": Access("usage.read", "usage:read"),
        "breakdown": Access("usage.read", "usage:read"),
    }

    @classmethod
    def listings(cls) -> frozenset[str]:
        """Return no methods: usage has no pages."""
        return frozenset()

    def list(self, _request: Request) -> Response:
        """Tell a tenant's usage by hour (at most 31 days) or by day (at most 400)."""
        asked = self.asked()
        tenant, granularity = self._readable(asked), asked.pop("granularity")
        if granularity == "hour":
            _check_hours(asked["since"])
        found = usage_series(self.actor, tenant, _wanted(asked), granularity)
        return Response(SeriesShown(found).data)

    @action(detail=False, methods=["get"])
    def breakdown(self, _request: Request) -> Response:
        """Tell usage by the values of a dimension, dearest first."""
        asked = self.asked()
        tenant = self._readable(asked) if "tenant" in asked else None
        dimension, most = asked.pop("dimension"), asked.pop("limit")
        try:
            found = usage_by(self.actor, dimension, _wanted(asked), tenant, most)
        except ValueError as error:
            raise ValidationError({"dimension": str(error)}) from None
        return Response(BreakdownShown(found).data)

    def _readable(self, asked: dict[str, Any]) -> Tenant:
        tenant = self.tenant(asked.pop("tenant"))
        require(self.actor, "usage.read", tenant)
        return tenant


def _check_hours(since: datetime.datetime) -> None:
    """Refuse hours that have been deleted: none would look like nothing used."""
    first = usage_hours_since()
    if first is not None and since < first:
        told = first.isoformat(timespec="seconds")
        raise ValidationError(
            {"since": f"hours are kept from {told} on; older usage is by the day"}
        )


def _wanted(asked: dict[str, Any]) -> UsageWanted:
    """Return the filter."""
    return UsageWanted(**{LISTS.get(name, name): value for name, value in asked.items()})
