"""Guards in the file: `guards` of a tenant."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.declaration import providers, values
from gateway.declaration.providers import CredentialEntry
from gateway.declaration.session import Session, Values
from gateway.declaration.values import Named, Spot, distinct, spot_of
from gateway.envelope import EnvelopeError
from gateway.guards import sealing
from gateway.guards.contract import (
    DEADLINE_MS,
    DEADLINE_MS_MAX,
    DEADLINE_MS_MIN,
    KIND_PATTERN,
    KINDS_MAX,
    PHASES,
)
from gateway.guards.models import Guard
from gateway.origins import OriginError, base_url
from gateway.services.guards import (
    GuardFields,
    guard_create,
    guard_remove,
    guard_secret_set,
    guard_update,
)
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, fault
from tenants.models import Tenant

FLAGS = ("allow_private", "tells_user", "redacted", "cache")
KEYS = ("name", "url", "kinds", "phases", "deadline_ms", *FLAGS, "secret")
URL_MAX = 400
_DEFAULTS: Mapping[str, Any] = {"deadline_ms": DEADLINE_MS, **dict.fromkeys(FLAGS, False)}
_read_kind = fields.word(
    re.compile(KIND_PATTERN),
    "a kind: 2 to 64 of A-Z, 0-9 and _, beginning with a letter, as PROJECT_NAME",
)


@dataclass(frozen=True, slots=True)
class GuardEntry:
    """One guard of the file."""

    name: Named
    fields: GuardFields
    secret: CredentialEntry | None
    spot: Spot


def reader(environ: Mapping[str, str]) -> Read[GuardEntry]:
    """Return the reader of one guard; its secret is looked up in `environ`."""

    def read(node: Node) -> GuardEntry:
        keys = Fields(node, "a guard", KEYS)
        allow_private = keys.optional("allow_private", fields.flag, default=False)
        kinds: tuple[str, ...] = ()
        entry = GuardEntry(
            name=keys.required("name", values.named(values.name), Named("", keys.at)),
            fields={
                "url": keys.required("url", _url_reader(allow_private=allow_private), ""),
                "allow_private": allow_private,
                "kinds": keys.required("kinds", distinct(_read_kind, KINDS_MAX), kinds),
                "phases": keys.optional("phases", distinct(fields.choice(PHASES)), ("request",)),
                "deadline_ms": keys.optional(
                    "deadline_ms", fields.whole(DEADLINE_MS_MIN, DEADLINE_MS_MAX), DEADLINE_MS
                ),
                "tells_user": keys.optional("tells_user", fields.flag, default=False),
                "redacted": keys.optional("redacted", fields.flag, default=False),
                "cache": keys.optional("cache", fields.flag, default=False),
            },
            secret=keys.required("secret", providers.credential_reader(environ), None),
            spot=spot_of(keys, KEYS),
        )
        keys.finish()
        return entry

    return read


def _url_reader(*, allow_private: bool) -> Read[str]:
    """Return the reader of an address, which stays as it is written, a last slash too."""

    def read(node: Node) -> str:
        text = fields.text(URL_MAX)(node).text
        try:
            base_url(text, allow_private=allow_private)
        except OriginError as error:
            raise fault(node.at, str(error)) from None
        return text

    return read


def apply(session: Session, tenant: Tenant, entries: Sequence[GuardEntry]) -> None:
    """Bring about the guards of a tenant."""
    stored = {row.name: row for row in _stored(tenant)}
    for entry in entries:
        _apply(session, tenant, entry, stored.pop(entry.name.text, None))
    if session.prune:
        for row in stored.values():
            before = _describe(row)
            guard_remove(actor=session.actor, guard=row)
            session.removed("guard", f"{tenant.name}/{row.name}", before)


def export(tenant: Tenant) -> list[Values]:
    """Return the guards of a tenant in the file's form, their secrets only as being there."""
    exported: list[Values] = []
    for row in _stored(tenant):
        said: Values = {"name": row.name}
        said |= {key: each for key, each in _describe(row).items() if each != _DEFAULTS.get(key)}
        exported.append({**said, "secret": {"keep": True}})
    return exported


def _apply(session: Session, tenant: Tenant, entry: GuardEntry, row: Guard | None) -> None:
    before: Values = {} if row is None else {**_describe(row), "secret": "kept"}
    secret = entry.secret.secret if entry.secret is not None else ""
    keep = entry.secret is not None and entry.secret.keep
    if row is None and keep:
        message = f"no secret of {entry.name.text} is stored that could be kept"
        hint = "name the environment variable that holds it: secret: {env: NAME}"
        raise session.fail(entry.spot.of("secret"), message, hint)
    with session.at(entry.spot):
        is_new = not keep and (row is None or secret not in _opened(row)[:1])
        if row is None:
            row = guard_create(
                actor=session.actor,
                tenant=tenant,
                name=entry.name.text,
                secret=secret,
                **entry.fields,
            )
        else:
            guard_update(actor=session.actor, guard=row, **entry.fields)
            if is_new:
                guard_secret_set(actor=session.actor, guard=row, secret=secret)
    row.refresh_from_db()
    after: Values = {**_describe(row), "secret": "set" if is_new else "kept"}
    session.put("guard", f"{tenant.name}/{entry.name.text}", before, after)


def _stored(tenant: Tenant) -> list[Guard]:
    rows = Guard.objects.filter(tenant=tenant).select_related("tenant")
    return list(rows.order_by("name"))


def _describe(row: Guard) -> Values:
    return {
        "url": row.url,
        "kinds": list(row.kinds),
        "phases": list(row.phases),
        **{key: getattr(row, key) for key in _DEFAULTS},
    }


def _opened(row: Guard) -> list[str]:
    """Return the stored secrets, the newest first; none where the key that sealed them is gone."""
    try:
        return [sealing.open_sealed(each) for each in sealing.held(row)]
    except EnvelopeError:
        return []
