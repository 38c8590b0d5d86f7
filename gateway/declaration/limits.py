"""Rate limits in the file: `limits` of a tenant or an app."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.declaration import values
from gateway.declaration.session import Session, Values
from gateway.declaration.values import Named, Spot, spot_of
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from tenants.models import MAX_MICROS, App, RateLimit, Tenant
from tenants.services.limits import rate_limit_create, rate_limit_remove, rate_limit_update

KINDS = tuple(RateLimit.Kind.values)
KEYS = ("name", *KINDS, "per", "burst")


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """One limit of the file."""

    name: Named
    kind: str
    amount: int
    per: str
    burst: int | None
    spot: Spot

    def values(self) -> Values:
        """Return what the file says, as a stored limit would be written."""
        return _values(self.kind, self.amount, self.per, self.burst)


def read(node: Node) -> LimitEntry:
    """Read one limit: so many requests or tokens per time, or so many calls at once."""
    keys = Fields(node, "a limit", KEYS)
    amount = fields.whole(1, MAX_MICROS)
    kinds = [kind for kind in KINDS if kind in keys]
    if len(kinds) != 1:
        hint = "as in {name: rpm, requests: 600, per: minute}"
        keys.note(keys.at, "a limit has one of requests, tokens and concurrency", hint)
    kind = kinds[0] if kinds else RateLimit.Kind.REQUESTS.value
    entry = LimitEntry(
        name=keys.required("name", values.named(values.name), Named("", keys.at)),
        kind=kind,
        amount=keys.optional(kind, amount, 1),
        per=keys.optional("per", fields.choice(RateLimit.Per.values), ""),
        burst=keys.optional("burst", amount, None),
        spot=spot_of(keys, KEYS),
    )
    if len(kinds) == 1:
        _check(keys, kind)
    keys.finish()
    return entry


def apply(session: Session, tenant: Tenant, app: App | None, entries: Sequence[LimitEntry]) -> None:
    """Bring about the limits of one owner."""
    stored = {row.name: row for row in _stored(tenant, app)}
    for entry in entries:
        row = stored.pop(entry.name.text, None)
        if row is not None and row.kind != entry.kind:
            _remove(session, row)
            row = None
        _apply(session, tenant, app, entry, row)
    if session.prune:
        for row in stored.values():
            _remove(session, row)


def export(tenant: Tenant, app: App | None) -> list[Values]:
    """Return the limits of one owner in the file's form."""
    return [{"name": row.name, **_describe(row)} for row in _stored(tenant, app)]


def _check(keys: Fields, kind: str) -> None:
    if kind != RateLimit.Kind.CONCURRENCY:
        if "per" not in keys:
            keys.note(keys.at, f"a limit of {kind} needs the key per", "such as per: minute")
        return
    for key in ("per", "burst"):
        if key in keys:
            keys.note(keys.key_at(key), f"a limit of calls at once has no {key}")


def _apply(
    session: Session, tenant: Tenant, app: App | None, entry: LimitEntry, row: RateLimit | None
) -> None:
    before = {} if row is None else _describe(row)
    with session.at(entry.spot, {"amount": entry.kind}):
        if row is None:
            rate_limit_create(
                actor=session.actor,
                tenant=tenant,
                app=app,
                name=entry.name.text,
                kind=entry.kind,
                amount=entry.amount,
                per=entry.per,
                burst=entry.burst,
            )
        else:
            rate_limit_update(
                actor=session.actor,
                limit=row,
                amount=entry.amount,
                per=entry.per,
                burst=entry.burst,
            )
    label = _label(tenant, app, entry.name.text)
    session.put("limit", label, before, entry.values())


def _remove(session: Session, row: RateLimit) -> None:
    rate_limit_remove(actor=session.actor, limit=row)
    label = _label(row.tenant, row.app, row.name)
    session.removed("limit", label, _describe(row))


def _stored(tenant: Tenant, app: App | None) -> list[RateLimit]:
    rows = RateLimit.objects.filter(tenant=tenant, app=app, key=None, is_active=True)
    return list(rows.select_related("tenant", "app").order_by("created_at", "name"))


def _describe(row: RateLimit) -> Values:
    return _values(row.kind, row.amount, row.per, row.burst)


def _values(kind: str, amount: int, per: str, burst: int | None) -> Values:
    said: Values = {kind: amount}
    if per:
        said["per"] = per
    if burst is not None:
        said["burst"] = burst
    return said


def _label(tenant: Tenant, app: App | None, name: str) -> str:
    return f"{tenant.name}/{name}" if app is None else f"{tenant.name}/{app.name}/{name}"
