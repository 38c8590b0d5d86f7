"""Budgets of the management API."""

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity, Text, Texts, Whole
from audit.rest.filters import Word, one_of
from tenants.api.belonging import OfTenant, OwnerFilters
from tenants.models import MAX_MICROS, Budget
from tenants.selectors import budgets_visible
from tenants.services.budgets import budget_create, budget_remove, budget_update
from tenants.usage.budget_state import budget_state

Shown = serializers.Serializer[Any]


class BudgetShown(serializers.ModelSerializer[Budget]):
    """A budget; `limit_micros` are millionths of its currency."""

    class Meta:
        model = Budget
        fields = (
            "id",
            "tenant",
            "app",
            "key",
            "name",
            "limit_micros",
            "currency",
            "window",
            "mode",
            "group_by",
            "alert_at",
            "created_at",
        )
        read_only_fields = fields


class GroupShown(Shown):
    """What one group of a budget has used; without groups there is one, without a name."""

    name = serializers.CharField()
    posted_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()


class DayShown(Shown):
    """What was posted for the calls that arrived on a day of the tenant's calendar."""

    start = serializers.DateTimeField()
    posted_micros = serializers.IntegerField()


class StateShown(Shown):
    """A budget in the window of now: what is posted, and what is held for calls under way."""

    limit_micros = serializers.IntegerField()
    currency = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(allow_null=True)
    posted_micros = serializers.IntegerField()
    held_micros = serializers.IntegerField()
    groups = GroupShown(many=True)
    days = DayShown(many=True)


class BudgetUpdate(Change):
    """How much may be spent, how strictly, and when to warn."""

    limit_micros = Whole(required=False, max_value=MAX_MICROS)
    mode = Choice(Budget.Mode.choices, required=False)
    alert_at = serializers.ListField(
        child=serializers.DecimalField(max_digits=4, decimal_places=3, min_value=0, max_value=1),
        required=False,
        max_length=10,
    )


class BudgetCreate(BudgetUpdate):
    """A new budget of a tenant, of one of its apps or of one of its keys."""

    tenant = Identity()
    app = Identity(required=False, allow_null=True)
    key = Identity(required=False, allow_null=True)
    name = Text(max_length=63)
    limit_micros = Whole(max_value=MAX_MICROS)
    currency = Text(max_length=3, min_length=3)
    window = Choice(Budget.Window.choices)
    group_by = Texts(required=False, each_max=80)


class BudgetFilters(OwnerFilters):
    """Budgets by whose they are and how strict."""

    name = Word()
    mode = one_of(Budget.Mode.choices)


class Budgets(OfTenant):
    """Budgets in force."""

    model = Budget
    serializer_class = BudgetShown
    filterset_class = BudgetFilters
    bodies = {"create": BudgetCreate, "partial_update": BudgetUpdate}
    answers = {"state": StateShown}
    access = {
        "list": Access("budget.read", "budgets:read"),
        "retrieve": Access("budget.read", "budgets:read"),
        "state": Access("budget.read", "budgets:read"),
        "create": Access("budget.create", "budgets:write"),
        "partial_update": Access("budget.update", "budgets:write"),
        "destroy": Access("budget.remove", "budgets:write"),
    }

    def visible(self) -> QuerySet[Budget]:
        """Return the budgets that the actor may read."""
        return budgets_visible(self.actor)

    @action(detail=True, methods=["get"])
    def state(self, _request: Request, **_: str) -> Response:
        """Tell how a budget stands now; the groups are those that used most."""
        state = budget_state(self.actor, self.get_object(), timezone.now())
        days = [{"start": start, "posted_micros": micros} for start, micros in state.days]
        return Response(StateShown({**asdict(state), "days": days}).data)

    def create(self, _request: Request) -> Response:
        """Create a budget. What it counts is fixed from then on."""
        given = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        app, key = self.app(given.pop("app", None)), self.key(given.pop("key", None))
        return self.made(budget_create(actor=self.actor, tenant=tenant, app=app, key=key, **given))

    def partial_update(self, _request: Request, **_: str) -> Response:
        """Change a budget's terms."""
        with self.matching() as budget:
            budget_update(actor=self.actor, budget=budget, **self.given())
        return self.show(self.get_object())

    def destroy(self, _request: Request, **_: str) -> Response:
        """End a budget; the ledger keeps what was spent."""
        with self.matching(required=False) as budget:
            budget_remove(actor=self.actor, budget=budget, reason=self.why())
        return self.gone()
