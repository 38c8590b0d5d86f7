"""Budgets in the file: `budgets` of a tenant or an app."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.declaration import values
from gateway.declaration.session import Session, Values
from gateway.declaration.values import Named, Spot, distinct, spot_of
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from tenants.models import App, Budget, Tenant
from tenants.money import micros_from_text, text_from_micros
from tenants.services.budgets import budget_create, budget_remove, budget_update

KEYS = ("name", "limit", "currency", "window", "mode", "group_by", "alert_at")
_EXAMPLE = '"500.00"'
_MEASURE = ("currency", "window", "group_by")


@dataclass(frozen=True, slots=True)
class BudgetEntry:
    """One budget of the file."""

    name: Named
    limit_micros: int
    currency: str
    window: str
    mode: str
    group_by: tuple[str, ...]
    alert_at: tuple[Decimal, ...]
    spot: Spot

    def values(self) -> Values:
        """Return what the file says, as a stored budget would be written."""
        return {
            "limit": text_from_micros(self.limit_micros),
            "currency": self.currency,
            "window": self.window,
            "mode": self.mode,
            "group_by": list(self.group_by),
            "alert_at": [_share(share) for share in self.alert_at],
        }


def read(node: Node) -> BudgetEntry:
    """Read one budget."""
    keys = Fields(node, "a budget", KEYS)
    entry = BudgetEntry(
        name=keys.required("name", values.named(values.name), Named("", keys.at)),
        limit_micros=keys.required("limit", values.exact(micros_from_text, _EXAMPLE), 0),
        currency=keys.required("currency", values.currency, ""),
        window=keys.required("window", fields.choice(Budget.Window.values), ""),
        mode=keys.optional("mode", fields.choice(Budget.Mode.values), Budget.Mode.HARD.value),
        group_by=keys.optional("group_by", distinct(lambda node: fields.text(80)(node).text), ()),
        alert_at=keys.optional("alert_at", distinct(values.share), ()),
        spot=spot_of(keys, KEYS),
    )
    keys.finish()
    return entry


def apply(
    session: Session, tenant: Tenant, app: App | None, entries: Sequence[BudgetEntry]
) -> None:
    """Bring about the budgets of one owner. What counts otherwise is a new budget."""
    stored = {row.name: row for row in _stored(tenant, app)}
    for entry in entries:
        row = stored.pop(entry.name.text, None)
        _apply(session, tenant, app, entry, row)
    if session.prune:
        for row in stored.values():
            _remove(session, row)


def describe(row: Budget) -> Values:
    """Return a stored budget as the file would say it."""
    return {
        "limit": text_from_micros(row.limit_micros),
        "currency": row.currency,
        "window": row.window,
        "mode": row.mode,
        "group_by": list(row.group_by),
        "alert_at": [_share(share) for share in row.alert_at],
    }


def export(tenant: Tenant, app: App | None) -> list[Values]:
    """Return the budgets of one owner in the file's form."""
    return [{"name": row.name, **describe(row)} for row in _stored(tenant, app)]


def _apply(
    session: Session, tenant: Tenant, app: App | None, entry: BudgetEntry, row: Budget | None
) -> None:
    before = {} if row is None else describe(row)
    after = entry.values()
    if row is not None and any(before[key] != after[key] for key in _MEASURE):
        _remove(session, row)
        row, before = None, {}
    with session.at(entry.spot, {"limit_micros": "limit"}):
        if row is None:
            budget_create(
                actor=session.actor,
                tenant=tenant,
                app=app,
                name=entry.name.text,
                limit_micros=entry.limit_micros,
                currency=entry.currency,
                window=entry.window,
                mode=entry.mode,
                group_by=entry.group_by,
                alert_at=entry.alert_at,
                defer_ceilings=True,
            )
        else:
            budget_update(
                actor=session.actor,
                budget=row,
                limit_micros=entry.limit_micros,
                mode=entry.mode,
                alert_at=entry.alert_at,
                defer_ceilings=True,
            )
    label = _label(tenant, app, entry.name.text)
    session.put("budget", label, before, after)


def _remove(session: Session, row: Budget) -> None:
    budget_remove(actor=session.actor, budget=row, defer_ceilings=True)
    label = _label(row.tenant, row.app, row.name)
    session.removed("budget", label, describe(row))


def _stored(tenant: Tenant, app: App | None) -> list[Budget]:
    rows = Budget.objects.filter(tenant=tenant, app=app, key=None, is_active=True)
    return list(rows.select_related("tenant", "app").order_by("created_at", "name"))


def _label(tenant: Tenant, app: App | None, name: str) -> str:
    return f"{tenant.name}/{name}" if app is None else f"{tenant.name}/{app.name}/{name}"


def _share(share: Decimal) -> str:
    return f"{share.normalize():f}"
