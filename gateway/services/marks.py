"""What readers of calls say of the rules that matched in them and of what was found."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit.actor import Actor
from audit.models import Mark, Record
from audit.record import instant
from audit.services import Change, alter, insert
from tenants.models import Tenant
from tenants.permissions import require


@dataclass(frozen=True, slots=True)
class MarkWanted:
    """What is marked of a call, and as what: see audit.models.Mark."""

    on: str
    subject: str
    verdict: str


@transaction.atomic
def mark_create(
    *,
    actor: Actor,
    tenant: Tenant,
    records: Sequence[Record],
    wanted: MarkWanted,
    reason: str = "",
) -> Mark:
    """Mark a rule or a kind of a call; where it was marked before, it says something else now.

    `records` are those of the call. Raises ValidationError where it did not match, or was not
    found, in the call.
    """
    require(actor, "mark.create", tenant)
    call_id: uuid.UUID = records[0].call_id
    if wanted.subject not in subjects(records).get(wanted.on, ()):
        raise ValidationError({"subject": f"{wanted.subject!r} did not match in this call"})
    change = Change(actor, "mark.create", tenant.pk, tenant.name, reason)
    known = Mark.objects.select_for_update().filter(
        call_id=call_id, on=wanted.on, subject=wanted.subject
    )
    mark = known.first()
    if mark is not None:
        alter(change, mark, {"verdict": wanted.verdict, "author": actor.name[:200]})
        return mark
    mark = Mark(
        tenant_id=tenant.pk,
        tenant=tenant.name,
        call_id=call_id,
        arrived_at=instant(call_id),
        on=wanted.on,
        subject=wanted.subject,
        verdict=wanted.verdict,
        author=actor.name[:200],
    )
    insert(change, mark)
    return mark


def subjects(records: Sequence[Record]) -> Mapping[str, tuple[str, ...]]:
    """Return what can be marked of a call: its rules that matched, and the kinds found in it."""
    rules = {rule for record in records for rule in _rules(record.body.get("decision", {}))}
    kinds = {kind for record in records for kind in _kinds(record.body)}
    return {Mark.On.RULE: tuple(sorted(rules)), Mark.On.KIND: tuple(sorted(kinds))}


def _rules(decision: Mapping[str, Any]) -> Iterator[str]:
    yield from decision.get("matched", ())
    yield from decision.get("shadow", ())
    if decision.get("effect") == "deny":
        yield from (f"{policy}/{rule}" for _, policy, rule in decision.get("determining", ()))


def _kinds(body: Mapping[str, Any]) -> Iterator[str]:
    facts = body.get("facts", {})
    found = (facts.get("findings", ()), facts.get("answer.findings", ()), body.get("findings", ()))
    yield from (finding[0] for findings in found for finding in findings)
