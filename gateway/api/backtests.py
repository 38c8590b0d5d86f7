"""Back-tests of the management API: what a text would have changed for recorded calls."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity, Recorded, Text
from audit.rest.filters import Word
from gateway.services.backtests import BacktestWanted, backtest_cancel, backtest_create
from policies.api.faults import policy_faults
from policies.models import Backtest
from policies.pdp.decision import LAYERS
from policies.pdp.tally import CHANGES
from policies.pdp.yaml_text import BYTES_MAX
from policies.selectors import backtests_visible
from policies.substitution import Place
from tenants.api.belonging import OfTenant, TenantFilters

Shown = serializers.Serializer[Any]
PLACED = [(name, name) for name in LAYERS]


class ChangesShown(Shown):
    """How many calls there are of each change."""

    newly_denied = serializers.IntegerField()
    newly_permitted = serializers.IntegerField()
    other_reason = serializers.IntegerField()
    other_obligations = serializers.IntegerField()
    same = serializers.IntegerField()


class BacktestGroupShown(ChangesShown):
    """The calls of one app, key or model, or those that one rule makes a difference for."""

    name = serializers.CharField()
    calls = serializers.IntegerField()


class LackingShown(Shown):
    """Calls that are not comparable, and what their records cannot tell."""

    facts = serializers.CharField()
    calls = serializers.IntegerField()


class ExampleShown(Shown):
    """A call with a difference."""

    call = serializers.UUIDField()
    at = serializers.CharField()
    app = serializers.CharField()
    key = serializers.CharField()
    model = serializers.CharField()
    phase = serializers.CharField()
    rule = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class ExamplesShown(Shown):
    """The newest calls of each change."""

    newly_denied = ExampleShown(many=True)
    newly_permitted = ExampleShown(many=True)
    other_reason = ExampleShown(many=True)
    other_obligations = ExampleShown(many=True)


class ResultShown(Shown):
    """What came of a back-test.

    `path_dependent` are facts that the text would have changed, so that what reads them is
    approximate; `cost_micros` is what the calls cost that would newly be refused, by currency.
    """

    calls = serializers.IntegerField()
    compared = serializers.IntegerField()
    not_comparable = serializers.IntegerField()
    lacking = LackingShown(many=True)
    changes = ChangesShown()
    refused_anyway = serializers.IntegerField()
    cost_micros = serializers.DictField(child=serializers.IntegerField())
    by_app = BacktestGroupShown(many=True)
    by_key = BacktestGroupShown(many=True)
    by_model = BacktestGroupShown(many=True)
    by_rule = BacktestGroupShown(many=True)
    examples = ExamplesShown()
    path_dependent = serializers.ListField(child=serializers.CharField())
    before = serializers.ListField(child=serializers.CharField())
    records = serializers.IntegerField()
    seconds = serializers.FloatField()
    records_per_minute = serializers.IntegerField()


class BacktestShown(serializers.ModelSerializer[Backtest]):
    """A back-test; its job's progress is told by that job."""

    result = ResultShown(read_only=True, allow_null=True)

    class Meta:
        model = Backtest
        fields = (
            "id",
            "tenant",
            "policy",
            "layer",
            "app_id",
            "since",
            "until",
            "owner",
            "job_id",
            "state",
            "error",
            "result",
            "created_at",
            "ready_at",
        )
        read_only_fields = fields


class BacktestCreate(Change):
    """A text, and the calls to judge: those of a tenant from `since` on and before `until`.

    Without a `layer` it takes the place of the policy that it names; else it is added at that
    layer, at the app's for one `app`.
    """

    tenant = Identity()
    source = Text(max_length=BYTES_MAX)  # type: ignore[assignment]  # a field's attribute as well
    layer = Choice(PLACED, required=False, allow_null=True)
    app = Identity(required=False, allow_null=True)
    since = Recorded()
    until = Recorded()


class BacktestFilters(TenantFilters):
    """Back-tests by tenant and policy."""

    policy = Word()


class Backtests(OfTenant):
    """What texts would have changed; results are kept for 30 days."""

    model = Backtest
    serializer_class = BacktestShown
    filterset_class = BacktestFilters
    volatile = ("state", "error", "result", "ready_at")
    bodies = {"create": BacktestCreate, "cancel": Change}
    access = {
        "list": Access("backtest.read", "backtests:read"),
        "retrieve": Access("backtest.read", "backtests:read"),
        "create": Access("backtest.create", "backtests:write"),
        "cancel": Access("backtest.cancel", "backtests:write"),
    }

    def visible(self) -> QuerySet[Backtest]:
        """Return the back-tests that the actor may read."""
        return backtests_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Ask for a back-test; a job judges the calls."""
        given = self.given()
        tenant = self.tenant(given["tenant"])
        self.check_object_permissions(self.request, tenant)
        wanted = BacktestWanted(
            source=given["source"],
            since=given["since"],
            until=given["until"],
            place=Place(given.get("layer"), given.get("app")),
        )
        with policy_faults():
            made = backtest_create(
                actor=self.actor, tenant=tenant, wanted=wanted, reason=given.get("reason", "")
            )
        return self.made(made)

    @action(detail=True, methods=["post"])
    def cancel(self, _request: Request, **_: str) -> Response:
        """Stop a back-test; one that has ended stays as it is."""
        backtest_cancel(actor=self.actor, backtest=self.get_object(), **self.given())
        return self.show(self.get_object())


if set(ChangesShown().fields) != set(CHANGES):
    raise ValueError("the API and policies/pdp/tally.py disagree on what a change is")
