"""Providers in the file: `providers`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gateway import credentials
from gateway.declaration import spares, values
from gateway.declaration.apps import note_twice
from gateway.declaration.session import Session, Values
from gateway.declaration.spares import SpareEntry
from gateway.declaration.values import Named, Spot, spot_of
from gateway.models import Provider
from gateway.origins import OriginError, base_url
from gateway.providers.dialects import VERSIONED
from gateway.services.providers import (
    credential_remove,
    credential_set,
    provider_create,
    provider_remove,
    provider_update,
)
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, fault

KEYS = (
    "name",
    "dialect",
    "base_url",
    "allow_private",
    "health_check",
    "credential",
    "spare_credentials",
)
URL_MAX = 400


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """Where the secret comes from: read from the environment, or the stored one stays."""

    keep: bool
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One provider of the file."""

    name: Named
    dialect: str
    base_url: str
    allow_private: bool
    health_check: bool
    credential: CredentialEntry | None
    spares: tuple[SpareEntry, ...]
    spot: Spot

    def values(self) -> Values:
        """Return what the file says, as a stored provider would be written."""
        return {
            "dialect": self.dialect,
            "base_url": self.base_url or None,
            "allow_private": self.allow_private,
            "health_check": self.health_check,
        }


def reader(environ: Mapping[str, str]) -> Read[ProviderEntry]:
    """Return the reader of one provider; secrets are looked up in `environ`."""

    def read(node: Node) -> ProviderEntry:
        keys = Fields(node, "a provider", KEYS)
        dialect = keys.required("dialect", fields.choice(Provider.Dialect.values), "openai")
        allow_private = keys.optional("allow_private", fields.flag, default=False)
        read_credential = credential_reader(environ)
        entry = ProviderEntry(
            name=keys.required("name", values.named(values.name), Named("", keys.at)),
            dialect=dialect,
            base_url=keys.optional(
                "base_url", url_reader(dialect, allow_private=allow_private), ""
            ),
            allow_private=allow_private,
            health_check=keys.optional("health_check", fields.flag, default=False),
            credential=keys.optional("credential", read_credential, None),
            spares=keys.optional("spare_credentials", spares.reader(environ), ()),
            spot=spot_of(keys, KEYS),
        )
        _check(keys, dialect)
        note_twice(keys, [one.label for one in entry.spares], "label")
        keys.finish()
        return entry

    return read


def apply(session: Session, entry: ProviderEntry) -> None:
    """Create or change a provider as the file says."""
    row = Provider.objects.filter(name=entry.name.text).first()
    before = {} if row is None else describe(row)
    after: Values = {**entry.values(), "credential": before.get("credential")}
    after["spare_credentials"] = [one.label.text for one in entry.spares]
    with session.at(entry.spot):
        if row is None:
            row = provider_create(
                actor=session.actor,
                name=entry.name.text,
                dialect=entry.dialect,
                base_url=entry.base_url,
                allow_private=entry.allow_private,
                health_check=entry.health_check,
            )
        elif row.dialect != entry.dialect:
            message = f"the provider speaks {row.dialect}, and that is fixed"
            raise session.fail(entry.spot.of("dialect"), message, "give it another name")
        else:
            provider_update(
                actor=session.actor,
                provider=row,
                base_url=entry.base_url,
                allow_private=entry.allow_private,
                health_check=entry.health_check,
            )
        if _apply_credential(session, row, entry):
            after["credential"] = "set" if entry.credential else None
    if spares.apply(session, row, entry.spares):
        after["spare_credentials"] = [f"{one.label.text} set" for one in entry.spares]
    session.put("provider", entry.name.text, before, after)


def prune(session: Session, kept: Collection[str]) -> None:
    """Remove the providers that the file does not name."""
    for row in Provider.objects.exclude(name__in=kept).order_by("name"):
        before = describe(row)
        with session.at(Spot((1, 1))):
            provider_remove(actor=session.actor, provider=row)
        session.removed("provider", row.name, before)


def describe(row: Provider) -> Values:
    """Return a stored provider as the file would say it, its secret only as being there."""
    return {
        "dialect": row.dialect,
        "base_url": row.base_url or None,
        "allow_private": row.allow_private,
        "health_check": row.health_check,
        "credential": "kept" if credentials.labelled(row, "") is not None else None,
        "spare_credentials": spares.labels(row),
    }


def export() -> list[Values]:
    """Return every provider in the file's form."""
    exported: list[Values] = []
    for row in Provider.objects.order_by("name"):
        said: Values = {"name": row.name, "dialect": row.dialect}
        if row.base_url:
            said["base_url"] = row.base_url
        if row.allow_private:
            said["allow_private"] = True
        if row.health_check:
            said["health_check"] = True
        if credentials.labelled(row, "") is not None:
            said["credential"] = {"keep": True}
        if further := spares.export(row):
            said["spare_credentials"] = further
        exported.append(said)
    return exported


def _apply_credential(session: Session, row: Provider, entry: ProviderEntry) -> bool:
    """Set or destroy a provider's secret where the file says other than what is stored."""
    stored = credentials.labelled(row, "")
    if entry.credential is None:
        return stored is not None and credential_remove(actor=session.actor, provider=row)
    if entry.credential.keep:
        if stored is None:
            message = f"no credential of {row.name} is stored for this address that could be kept"
            hint = "name the environment variable that holds it: credential: {env: NAME}"
            raise session.fail(entry.spot.of("credential"), message, hint)
        return False
    if stored is not None and spares.opened(stored) == entry.credential.secret:
        return False
    credential_set(actor=session.actor, provider=row, secret=entry.credential.secret)
    return True


def url_reader(dialect: str, *, allow_private: bool) -> Read[str]:
    """Return the reader of a base URL at which a dialect may be spoken."""

    def read(node: Node) -> str:
        text = fields.text(URL_MAX)(node).text
        try:
            return base_url(text, allow_private=allow_private, versioned=dialect in VERSIONED)
        except OriginError as error:
            raise fault(node.at, str(error)) from None

    return read


def credential_reader(environ: Mapping[str, str]) -> Read[CredentialEntry | None]:
    """Return the reader of where a secret comes from, looked up in `environ`."""

    def read(node: Node) -> CredentialEntry | None:
        keys = Fields(node, "a credential", ("env", "keep"))
        keep, secret = spares.read_source(keys, environ)
        keys.finish()
        return CredentialEntry(keep=keep, secret=secret)

    return read


def _check(keys: Fields, dialect: str) -> None:
    """Note what does not go with the dialect: only the simulated one has no address and no key."""
    if dialect == Provider.Dialect.SIMULATED:
        for key in (
            "base_url",
            "allow_private",
            "health_check",
            "credential",
            "spare_credentials",
        ):
            if key in keys:
                keys.note(keys.key_at(key), f"the simulated provider has no {key}")
    elif "base_url" not in keys:
        keys.note(keys.at, "a provider needs the key base_url")
