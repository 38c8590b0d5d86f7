"""Policies in the file: `policies` names their texts, and each owner lists the ones that hold."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ValidationError

from gateway.declaration import values
from gateway.declaration.faults import DeclarationError, Fault, fault
from gateway.declaration.session import Plain, Session, Values
from gateway.declaration.values import Named, Spot, spot_of
from policies.models import Attachment, Policy
from policies.pdp import fields
from policies.pdp.analysis.names import unknown_names
from policies.pdp.fields import Fields, Read
from policies.pdp.language import parse_document
from policies.pdp.nodes import Node, Place, Scalar
from policies.pdp.nodes import fault as place_fault
from policies.pdp.problem import PolicyError, Problem
from policies.selectors import attachments
from policies.services.attachments import policy_attach, policy_detach
from policies.services.policies import policy_create, policy_publish, policy_retire
from policies.vocabulary import names_for
from tenants.models import App, Tenant

KEYS = ("file", "text")
TEXT_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """One policy of the file. `file` names where its text stands, for what is wrong with it."""

    name: str
    text: str
    hash: str
    file: str
    spot: Spot
    inline: Scalar | None

    def place(self, problem: Problem) -> Problem:
        """Return a problem of the text at its place in the file that holds the text."""
        if self.inline is None or not problem.line:
            return problem
        lines = self.inline.text.split("\n")[: problem.line - 1]
        offset = sum(len(line) + 1 for line in lines) + problem.column - 1
        line, column = self.inline.place(min(offset, len(self.inline.text)))
        return Problem(line, column, problem.message, problem.hint)


def reader(folder: Path, file: str, faults: list[Fault]) -> Read[PolicyEntry | None]:
    """Return the reader of one policy; what is wrong with a text of its own goes to `faults`.

    A text stands in a file of its own, named relative to `folder`, or as it is under `text`.
    """

    def read(node: Node) -> PolicyEntry | None:
        keys = Fields(node, "a policy", KEYS)
        path = keys.optional("file", lambda node: fields.text(1000)(node).text, "")
        inline = keys.optional("text", fields.text(TEXT_MAX), None)
        if not keys.faulty and bool(path) == (inline is not None):
            keys.note(keys.at, "a policy is a file or a text", "as in {file: policies/own.yaml}")
        if keys.faulty or inline is not None:
            keys.finish()
        spot = spot_of(keys, KEYS)
        if inline is not None:
            return _entry(inline.text, file, spot, inline, faults)
        return _entry(
            _text_of(folder / path, spot.of("file")), str(folder / path), spot, None, faults
        )

    return read


def apply(session: Session, entry: PolicyEntry) -> None:
    """Publish a policy's text, if it is not the active one."""
    row = Policy.objects.filter(name=entry.name).select_related("active").first()
    active = None if row is None else row.active
    before: Values = {} if row is None else {"hash": None if active is None else active.hash}
    try:
        if row is None:
            row = policy_create(actor=session.actor, name=entry.name)
        policy_publish(actor=session.actor, policy=row, source=entry.text, fits_later=True)
    except PolicyError as error:
        raise DeclarationError(_placed(entry, error)) from None
    except ValidationError as error:
        raise session.fail(entry.spot.at, "; ".join(error.messages)) from None
    session.put("policy", entry.name, before, {"hash": entry.hash})


def check_names(session: Session, entries: Iterable[PolicyEntry]) -> None:
    """Refuse a text that names what is not there, now that the whole file is stored."""
    names = names_for(session.actor)
    for entry in entries:
        problems = unknown_names(parse_document(entry.text), names)
        if problems:
            raise DeclarationError(_placed(entry, PolicyError(problems, entry.text)))


def attach(
    session: Session, names: Sequence[Named], tenant: Tenant | None, app: App | None
) -> tuple[Values, Values]:
    """Let the named policies hold for an owner; return the names before and after."""
    held = {one.policy.name: one for one in _attachments(tenant, app)}
    wanted = {name.text: name for name in names}
    for name in wanted.keys() - held.keys():
        with session.at(Spot(wanted[name].at)):
            policy = Policy.objects.get(name=name)
            policy_attach(
                actor=session.actor, policy=policy, tenant=tenant, app=app, fits_later=True
            )
    kept = set(held)
    if session.prune:
        kept &= wanted.keys()
        for name in held.keys() - kept:
            with session.at(Spot((1, 1))):
                policy_detach(actor=session.actor, attachment=held[name])
    return _listed(held), _listed(kept | wanted.keys())


def prune(session: Session, kept: Collection[str]) -> None:
    """Retire the policies that the file does not name."""
    for row in Policy.objects.exclude(name__in=kept).exclude(active=None).order_by("name"):
        before: Values = {"hash": row.active.hash if row.active is not None else None}
        for attachment in attachments().filter(policy=row):
            policy_detach(actor=session.actor, attachment=attachment)
        policy_retire(actor=session.actor, policy=row)
        session.removed("policy", row.name, before)


def names_of(tenant: Tenant | None, app: App | None) -> list[str]:
    """Return the names of the policies that are attached to an owner."""
    return sorted(one.policy.name for one in _attachments(tenant, app))


def export() -> list[Policy]:
    """Return the policies that have a text."""
    rows = Policy.objects.exclude(active=None).select_related("active")
    return list(rows.order_by("name"))


def read_names(node: Node) -> tuple[Named, ...]:
    """Read the list of policies that hold for an owner."""
    return values.distinct(values.named(values.name))(node)


def _listed(names: Iterable[str]) -> Values:
    return {"policies": list[Plain](sorted(names))}


def _attachments(tenant: Tenant | None, app: App | None) -> list[Attachment]:
    rows = attachments().filter(tenant=tenant, app=app).exclude(policy__active=None)
    return list(rows.select_related("policy").order_by("policy__name"))


def _text_of(path: Path, at: Place) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise place_fault(at, f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise place_fault(at, "the file is not UTF-8 text") from None


def _entry(
    text: str, file: str, spot: Spot, inline: Scalar | None, faults: list[Fault]
) -> PolicyEntry | None:
    try:
        document = parse_document(text)
    except PolicyError as error:
        blank = PolicyEntry("", text, "", file, spot, inline)
        faults += _placed(blank, error)
        return None
    return PolicyEntry(document.name, text, document.hash, file, spot, inline)


def _placed(entry: PolicyEntry, error: PolicyError) -> list[Fault]:
    """Return what is wrong with a text; a clash with others has no place in it."""
    return [
        Fault(entry.file, entry.place(problem))
        if problem.line
        else fault(entry.file, (1, 1), problem.message, problem.hint)
        for problem in error.problems
    ]
