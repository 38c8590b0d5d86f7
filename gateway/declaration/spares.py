"""A provider's further credentials in the file: `spare_credentials`, told apart by their labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway import credentials
from gateway.declaration import values
from gateway.declaration.session import Plain, Session
from gateway.declaration.values import Named, Spot, spot_of
from gateway.envelope import EnvelopeError
from gateway.models import Credential, Provider
from gateway.services.providers import credential_remove, credential_set
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node

MOST = 20
KEYS = ("label", "env", "keep")


@dataclass(frozen=True, slots=True)
class SpareEntry:
    """Where one further secret comes from: read from the environment, or the stored one stays."""

    label: Named
    keep: bool
    secret: str = field(repr=False)
    spot: Spot


def reader(environ: Mapping[str, str]) -> Read[tuple[SpareEntry, ...]]:
    """Return the reader of the further credentials; secrets are looked up in `environ`."""

    def read_one(node: Node) -> SpareEntry:
        keys = Fields(node, "a spare credential", KEYS)
        label = keys.required("label", values.named(values.name), Named("", keys.at))
        keep, secret = read_source(keys, environ)
        spot = spot_of(keys, KEYS)
        keys.finish()
        return SpareEntry(label, keep=keep, secret=secret, spot=spot)

    return fields.listing(read_one, MOST)


def read_source(keys: Fields, environ: Mapping[str, str]) -> tuple[bool, str]:
    """Read where a secret comes from: whether the stored one is kept, and the secret if it is not.

    It is read from an environment variable at the moment of `apply`.
    """
    name = keys.optional("env", lambda node: fields.text(200)(node).text, "")
    keep = keys.optional("keep", fields.only_true, default=False)
    if not keys.faulty and bool(name) == keep:
        hint = "as in {env: OPENAI_API_KEY} or {keep: true}"
        keys.note(keys.at, "a credential is read from env, or it is kept", hint)
    if name and not environ.get(name):
        keys.note(keys.value_at("env"), f"the environment variable {name} is not set")
    return keep, environ.get(name, "")


def apply(session: Session, row: Provider, entries: tuple[SpareEntry, ...]) -> bool:
    """Set what differs, and destroy what the file does not name; return whether anything did."""
    changed = False
    for stored in credentials.in_use(row).exclude(label=""):
        if stored.label not in {entry.label.text for entry in entries}:
            changed |= credential_remove(actor=session.actor, provider=row, label=stored.label)
    for entry in entries:
        changed |= _apply_one(session, row, entry)
    return changed


def opened(stored: Credential) -> str | None:
    """Return a stored secret; None where the master key that sealed it is gone."""
    try:
        return credentials.open_sealed(stored)
    except EnvelopeError:
        return None


def export(row: Provider) -> list[Plain]:
    """Return the further credentials of a stored provider in the file's form."""
    return [{"label": label, "keep": True} for label in labels(row)]


def labels(row: Provider) -> list[Plain]:
    """Return the labels of the further credentials of a stored provider."""
    return [one.label for one in credentials.in_use(row).exclude(label="")]


def _apply_one(session: Session, row: Provider, entry: SpareEntry) -> bool:
    label = entry.label.text
    stored = credentials.labelled(row, label)
    if entry.keep:
        if stored is None:
            message = f"no credential {label} of {row.name} is stored that could be kept"
            hint = "name the environment variable that holds it: {label: NAME, env: NAME}"
            raise session.fail(entry.spot.at, message, hint)
        return False
    if stored is not None and opened(stored) == entry.secret:
        return False
    with session.at(entry.spot):
        credential_set(actor=session.actor, provider=row, secret=entry.secret, label=label)
    return True
