"""Writes to budgets. What a budget counts is fixed; a new way of counting is a new budget."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.services import alter, insert
from tenants.budgets import group_fault, without_ceiling
from tenants.changes import owner_check, tenant_change
from tenants.models import App, Budget, Tenant, VirtualKey
from tenants.money import CURRENCY_HELP, is_currency
from tenants.revisions import tenant_changed
from tenants.selectors import budget_shapes


class BudgetTerms(TypedDict, total=False):
    """What may change while a budget counts on: how much, how strictly, when to warn."""

    limit_micros: int
    mode: str
    alert_at: Sequence[Decimal]


class BudgetMeasure(TypedDict, total=False):
    """What a budget counts: money of one currency in windows, for each group, of its owner."""

    currency: str
    window: str
    group_by: Sequence[str]
    app: App | None
    key: VirtualKey | None


class BudgetFields(BudgetTerms, BudgetMeasure, total=False):
    """All that can be said of a budget besides its name."""


@transaction.atomic
def budget_create(
    *,
    actor: Actor,
    tenant: Tenant,
    name: str,
    reason: str = "",
    defer_ceilings: bool = False,
    **fields: Unpack[BudgetFields],
) -> Budget:
    """Create a budget. `defer_ceilings`: the caller changes more, then calls `ceilings_check`."""
    change = tenant_change(actor, "budget.create", tenant, reason)
    budget = Budget(tenant=tenant, name=name, **fields)
    _check(budget)
    insert(change, budget)
    if not defer_ceilings:
        ceilings_check(tenant)
    tenant_changed(tenant.id)
    return budget


@transaction.atomic
def budget_update(
    *,
    actor: Actor,
    budget: Budget,
    reason: str = "",
    defer_ceilings: bool = False,
    **terms: Unpack[BudgetTerms],
) -> bool:
    """Change a budget's terms; False where nothing differed."""
    change = tenant_change(actor, "budget.update", budget.tenant, reason)
    changed = alter(change, budget, terms)
    _check(budget)
    if changed:
        if not defer_ceilings:
            ceilings_check(budget.tenant)
        tenant_changed(budget.tenant_id)
    return changed


@transaction.atomic
def budget_remove(
    *, actor: Actor, budget: Budget, reason: str = "", defer_ceilings: bool = False
) -> bool:
    """End a budget; its row stays, because the ledger names it."""
    change = tenant_change(actor, "budget.remove", budget.tenant, reason)
    changed = alter(change, budget, {"is_active": False})
    if changed:
        if not defer_ceilings:
            ceilings_check(budget.tenant)
        tenant_changed(budget.tenant_id)
    return changed


def ceilings_check(tenant: Tenant) -> None:
    """Raise ValidationError where a client could multiply a hard budget (hard case 9)."""
    for budget in without_ceiling(budget_shapes(tenant)):
        raise ValidationError(
            {
                "group_by": f"the hard budget {budget.name} is grouped by what a client declares:"
                f" it needs an ungrouped hard budget in {budget.currency} above it"
            }
        )


def _check(budget: Budget) -> None:
    if not is_currency(budget.currency):
        raise ValidationError({"currency": CURRENCY_HELP})
    if len(set(budget.group_by)) != len(budget.group_by):
        raise ValidationError({"group_by": "a group stands twice"})
    faults = [group_fault(group, budget.tenant.tags) for group in budget.group_by]
    if any(faults):
        raise ValidationError({"group_by": [fault for fault in faults if fault]})
    if not all(Decimal(0) < Decimal(share) <= 1 for share in budget.alert_at):
        raise ValidationError({"alert_at": "a share is above 0 and at most 1"})
    owner_check(budget)
