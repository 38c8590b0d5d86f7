"""Services in the file: `services`, other upstreams beside the models."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gateway import service_credentials
from gateway.bundle import Operation
from gateway.declaration import plans, providers, values
from gateway.declaration.providers import CredentialEntry
from gateway.declaration.session import Plain, Session, Values
from gateway.declaration.values import MOST, Named, Spot, spot_of
from gateway.envelope import EnvelopeError
from gateway.models import Service
from gateway.providers.dialects import SERVICE
from gateway.providers.fault import BadSetting
from gateway.providers.service import operations, presenting
from gateway.services.services import (
    ServiceFields,
    service_create,
    service_credential_remove,
    service_credential_set,
    service_remove,
    service_update,
)
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, fault
from tenants.money import pico_from_text, text_from_pico

KEYS = (
    "name",
    "base_url",
    "allow_private",
    "region",
    "header",
    "scheme",
    "credential",
    "price",
    "retries",
    *plans.TIMEOUT_KEYS,
    "operations",
)
OPERATION_KEYS = ("name", "method", "path", "query", "body", "answer", "idempotent")
WORD_MAX = 63
_DEFAULTS: Mapping[str, Any] = {
    "allow_private": False,
    "region": "",
    "header": "authorization",
    "scheme": "Bearer",
    "retries": 0,
    **dict.fromkeys(plans.TIMEOUT_KEYS, 0),
}
_OPERATION_DEFAULTS: Mapping[str, Any] = {
    "query": [],
    "body": "none",
    "answer": "json",
    "idempotent": False,
}


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service of the file."""

    name: Named
    fields: ServiceFields
    credential: CredentialEntry | None
    spot: Spot


def reader(environ: Mapping[str, str]) -> Read[ServiceEntry]:
    """Return the reader of one service; its secret is looked up in `environ`."""

    def read(node: Node) -> ServiceEntry:
        keys = Fields(node, "a service", KEYS)
        read_credential = providers.credential_reader(environ)
        entry = ServiceEntry(
            name=keys.required("name", values.named(values.name), Named("", keys.at)),
            fields=_read_fields(keys),
            credential=keys.optional("credential", read_credential, None),
            spot=spot_of(keys, KEYS),
        )
        keys.finish()
        return entry

    return read


def apply(session: Session, entry: ServiceEntry) -> None:
    """Create or change a service as the file says."""
    name = entry.name.text
    row = Service.objects.filter(name=name).first()
    before = {} if row is None else describe(row)
    with session.at(entry.spot, {"currency": "price"}):
        if row is None:
            row = service_create(actor=session.actor, name=name, **entry.fields)
        else:
            service_update(actor=session.actor, service=row, **entry.fields)
        row.refresh_from_db()
        after = {**describe(row), "credential": before.get("credential")}
        if _apply_credential(session, row, entry):
            after["credential"] = "set" if entry.credential else None
    session.put("service", name, before, after)


def prune(session: Session, kept: Collection[str]) -> None:
    """Remove the services that the file does not name."""
    for row in Service.objects.exclude(name__in=kept).order_by("name"):
        before = describe(row)
        with session.at(Spot((1, 1))):
            service_remove(actor=session.actor, service=row)
        session.removed("service", row.name, before)


def describe(row: Service) -> Values:
    """Return a stored service as the file would say it, its secret only as being there."""
    held = service_credentials.of(row)
    return {
        "base_url": row.base_url,
        **{key: getattr(row, key) for key in _DEFAULTS},
        "price": _price(row),
        "credential": None if held is None else "kept",
        "operations": [_operation(one) for one in row.operations],
    }


def export() -> list[Values]:
    """Return every service in the file's form."""
    exported: list[Values] = []
    for row in Service.objects.order_by("name"):
        said: Values = {"name": row.name}
        for key, value in describe(row).items():
            if value is not None and value != _DEFAULTS.get(key):
                said[key] = {"keep": True} if key == "credential" else value
        exported.append(said)
    return exported


def _read_fields(keys: Fields) -> ServiceFields:
    allow_private = keys.optional("allow_private", fields.flag, default=False)
    read_url = providers.url_reader(SERVICE, allow_private=allow_private)
    header = keys.optional("header", _word, "authorization")
    scheme = keys.optional("scheme", values.optional_text(WORD_MAX), "Bearer")
    _note_bad(keys, "header" if "header" in keys else "scheme", header, scheme)
    unpriced: tuple[int | None, str] = (None, "")
    price, currency = keys.optional("price", _read_price, unpriced)
    return {
        "base_url": keys.required("base_url", read_url, ""),
        "allow_private": allow_private,
        "region": keys.optional("region", values.optional_text(WORD_MAX), ""),
        "header": header,
        "scheme": scheme,
        "price_pico": price,
        "currency": currency,
        "retries": keys.optional("retries", fields.whole(0, plans.RETRIES_MAX), 0),
        "operations": operations.written(keys.required("operations", _read_operations, ())),
        **_timeouts(keys),
    }


def _timeouts(keys: Fields) -> ServiceFields:
    read = plans.read_timeouts(keys)
    return {
        "connect_s": read["connect_s"],
        "first_byte_s": read["first_byte_s"],
        "idle_s": read["idle_s"],
        "total_s": read["total_s"],
    }


def _note_bad(keys: Fields, key: str, header: str, scheme: str) -> None:
    try:
        presenting.check(header, scheme)
    except BadSetting as error:
        keys.note(keys.value_at(key), str(error))


def _read_price(node: Node) -> tuple[int | None, str]:
    keys = Fields(node, "the price of a service", ("currency", "per_call"))
    currency = keys.required("currency", values.currency, "")
    price = keys.required("per_call", values.exact(pico_from_text, '"0.0001"'), 0)
    keys.finish()
    return price, currency


def _read_operations(node: Node) -> tuple[Operation, ...]:
    read = fields.listing(_read_operation, MOST)(node)
    try:
        operations.check(read)
    except BadSetting as error:
        raise fault(node.at, str(error)) from None
    return read


def _read_operation(node: Node) -> Operation:
    keys = Fields(node, "an operation", OPERATION_KEYS)
    nothing: tuple[str, ...] = ()
    operation = Operation(
        name=keys.required("name", values.name, ""),
        method=keys.required("method", fields.choice(operations.METHODS), "GET"),
        path=keys.required("path", _read_path, "/"),
        query=keys.optional("query", values.distinct(_word), nothing),
        body=keys.optional("body", fields.choice(operations.BODIES), "none"),
        answer=keys.optional("answer", fields.choice(operations.ANSWERS), "json"),
        idempotent=keys.optional("idempotent", fields.flag, default=False),
    )
    keys.finish()
    return operation


def _read_path(node: Node) -> str:
    text = fields.text(operations.PATH_LENGTH_MAX)(node).text
    try:
        operations.template(text)
    except BadSetting as error:
        raise fault(node.at, str(error)) from None
    return text


def _word(node: Node) -> str:
    return fields.text(WORD_MAX)(node).text


def _price(row: Service) -> Plain:
    if row.price_pico is None:
        return None
    return {"currency": row.currency, "per_call": text_from_pico(row.price_pico)}


def _operation(stored: Mapping[str, Any]) -> Plain:
    return {key: value for key, value in stored.items() if value != _OPERATION_DEFAULTS.get(key)}


def _apply_credential(session: Session, row: Service, entry: ServiceEntry) -> bool:
    """Set or destroy a service's secret where the file says other than what is stored."""
    stored = service_credentials.of(row)
    if entry.credential is None:
        return stored is not None and service_credential_remove(actor=session.actor, service=row)
    if entry.credential.keep:
        if stored is None:
            message = f"no credential of {row.name} is stored for this address that could be kept"
            hint = "name the environment variable that holds it: credential: {env: NAME}"
            raise session.fail(entry.spot.of("credential"), message, hint)
        return False
    if _opened(row) == entry.credential.secret:
        return False
    service_credential_set(actor=session.actor, service=row, secret=entry.credential.secret)
    return True


def _opened(row: Service) -> str | None:
    """Return a stored secret; None where there is none, or the key that sealed it is gone."""
    stored = service_credentials.of(row)
    try:
        return None if stored is None else service_credentials.open_sealed(stored)
    except EnvelopeError:
        return None
