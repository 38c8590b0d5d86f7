"""Calls of the management API: the list, one call, and why it was decided as it was."""

import datetime
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import Mark, Record
from audit.outcome import OUTCOMES
from audit.rest import pages
from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Text
from audit.rest.filters import Filters, Since, Uuid, Word, one_of
from audit.rest.problems import Problem
from audit.rest.resource import Resource
from audit.selectors import CallsWanted, TooBroadError
from gateway import selectors
from gateway.calls.explanation import explain
from gateway.calls.story import read
from gateway.services.calls import call_explain
from gateway.services.marks import MarkWanted, mark_create, subjects

Shown = serializers.Serializer[Any]


class MoneyShown(Shown):
    """An amount in millionths of a currency; without a currency nothing was priced."""

    currency = serializers.CharField()
    micros = serializers.IntegerField()


class UsageShown(Shown):
    """Tokens as the provider counted them; cached input is part of the input."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cached_input_tokens = serializers.IntegerField()


class AttemptShown(Shown):
    """One try at one deployment."""

    number = serializers.IntegerField()
    provider = serializers.CharField()
    deployment = serializers.CharField()
    upstream_model = serializers.CharField()
    region = serializers.CharField()
    outcome = serializers.ChoiceField(OUTCOMES)
    code = serializers.CharField()
    finish = serializers.CharField()
    admitted_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    usage = UsageShown(allow_null=True)
    held = MoneyShown()
    charged = MoneyShown(allow_null=True)
    basis = serializers.CharField()


class CallShown(Shown):
    """A call, from its records."""

    id = serializers.UUIDField()
    tenant_id = serializers.UUIDField()
    app = serializers.CharField()
    key_id = serializers.CharField()
    model = serializers.CharField()
    outcome = serializers.ChoiceField(OUTCOMES)
    code = serializers.CharField()
    arrived_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    duration_ms = serializers.IntegerField(allow_null=True)
    charged = MoneyShown(many=True)
    held = MoneyShown(many=True)
    tokens = UsageShown(allow_null=True)
    attempts = AttemptShown(many=True)


class StepShown(Shown):
    """A layer that the call went through, or not."""

    name = serializers.CharField()
    state = serializers.CharField()
    text = serializers.CharField()
    done_us = serializers.IntegerField(allow_null=True)


class JudgedShown(Shown):
    """What became of one rule."""

    layer = serializers.CharField()
    policy = serializers.CharField(source="label")
    rule = serializers.CharField()
    line = serializers.IntegerField()
    mode = serializers.CharField()
    outcome = serializers.CharField()
    determining = serializers.BooleanField()
    facts = serializers.SerializerMethodField()

    def get_facts(self, judged: Any) -> dict[str, str]:
        """Return the facts that the rule read, in words."""
        return {name: str(value) for name, value in judged.facts}


class RulingShown(Shown):
    """The policy of one phase, judged once more on the recorded facts."""

    phase = serializers.CharField()
    differs = serializers.CharField()
    rules = JudgedShown(many=True)


class FactShown(Shown):
    """A fact that was not its default."""

    name = serializers.CharField()
    value = serializers.CharField()
    doc = serializers.CharField()


class FindingShown(Shown):
    """What a detector found, without its text."""

    phase = serializers.CharField()
    kind = serializers.CharField(source="finding.kind")
    category = serializers.CharField(source="finding.category")
    score = serializers.FloatField(source="finding.score")
    place = serializers.CharField(source="finding.place")
    count = serializers.SerializerMethodField()

    def get_count(self, line: Any) -> int:
        """Return how many there were: not the method of a tuple that has the same name."""
        return int(line.finding[4])


class WayShown(Shown):
    """The nearest change with which a denied request would have passed."""

    words = serializers.CharField()
    changes = serializers.SerializerMethodField()

    def get_changes(self, way: Any) -> list[dict[str, Any]]:
        """Return each change in words, with the facts that would be other."""
        changes: list[dict[str, Any]] = way.written()["changes"]
        return changes


class ExplanationShown(Shown):
    """A call explained."""

    call = CallShown()
    sentence = serializers.CharField()
    remedy = serializers.CharField()
    way = WayShown(allow_null=True)
    steps = StepShown(many=True)
    rulings = RulingShown(many=True)
    unbuilt = serializers.CharField()
    facts = FactShown(many=True)
    findings = FindingShown(many=True)
    obligations = serializers.ListField(child=serializers.CharField())


class MarkShown(serializers.ModelSerializer[Mark]):
    """What a reader says of a rule that matched in a call, or of a kind found in it."""

    class Meta:
        model = Mark
        fields = ("on", "subject", "verdict", "author", "marked_at")
        read_only_fields = fields


class MarksShown(Shown):
    """The marks on a call, by subject, and what else could be marked."""

    results = MarkShown(many=True)
    rules = serializers.ListField(child=serializers.CharField())
    kinds = serializers.ListField(child=serializers.CharField())


class MarkCreate(Change):
    """What is marked: a `rule` as "policy/rule", or a `kind`; and whether it was right."""

    on = Choice(Mark.On.choices)
    subject = Text(max_length=130)
    verdict = Choice(Mark.Verdict.choices)


class CallFilters(Filters):
    """Calls by tenant, app, model, outcome, time, and why they were refused or redacted.

    `rule` is "policy / rule", the name of a limit or budget, or the code where none decided.
    """

    tenant = Uuid()
    app = Uuid()
    model = Word()
    outcome = one_of([(name, name) for name in OUTCOMES])
    rule = Word()
    redaction = Word()
    since = Since()
    until = Since()


class Calls(Resource):
    """The records of calls, newest first."""

    model = Record
    serializer_class = CallShown
    filterset_class = CallFilters
    answers: ClassVar[Any] = {
        "explain": ExplanationShown, "marks": MarksShown, "mark": MarkShown,
    }  # fmt: skip
    bodies = {"mark": MarkCreate}
    makes = frozenset({"mark"})
    access = {
        "list": Access("record.read", "calls:read"),
        "retrieve": Access("record.read", "calls:read"),
        "explain": Access("record.read", "calls:read"),
        "marks": Access("record.read", "calls:read"),
        "mark": Access("mark.create", "calls:write"),
    }

    def list(self, request: Request) -> Response:
        """List the calls that the actor may read, page by page."""
        size = pages.limit(request)
        try:
            found = self._found(request, size + 1)
        except TooBroadError:
            raise Problem(
                HTTPStatus.BAD_REQUEST, "That takes too long: ask for a shorter range of time."
            ) from None
        calls = [read(records) for records in found]
        following = None
        if len(calls) > size:
            last = calls[size - 1]
            following = pages.following(request, [last.listed_at.isoformat(), str(last.id)])
        return Response({"results": CallShown(calls[:size], many=True).data, "next": following})

    def retrieve(self, request: Request, **address: str) -> Response:
        """Show one call."""
        return Response(CallShown(read(self._records(address))).data)

    @action(detail=True, methods=["get"])
    def explain(self, _request: Request, **address: str) -> Response:
        """Explain one call: the rules that decided, judged once more on the recorded facts."""
        records = self._records(address)
        explanation = explain(
            records, selectors.versions_recorded(records), selectors.models_askable(records)
        )
        if self.actor.kind == "user":
            tenants = selectors.call_tenants(self.actor)
            (tenant,) = [each for each in tenants if each.id == explanation.call.tenant_id]
            call_explain(actor=self.actor, tenant=tenant, call_id=explanation.call.id)
        return Response(ExplanationShown(explanation).data)

    @action(detail=True, methods=["get"])
    def marks(self, _request: Request, **address: str) -> Response:
        """List what readers say of a call's rules and findings, and what they could."""
        records = self._records(address)
        can_be, found = subjects(records), Mark.objects.filter(call_id=records[0].call_id)
        told = {
            "results": found.order_by("on", "subject"),
            "rules": can_be[Mark.On.RULE],
            "kinds": can_be[Mark.On.KIND],
        }
        return Response(MarksShown(told).data)

    @marks.mapping.post
    def mark(self, _request: Request, **address: str) -> Response:
        """Mark a rule that matched in a call, or a kind found in it, as wrong or right."""
        records, given = self._records(address), self.given()
        tenants = selectors.call_tenants(self.actor)
        (tenant,) = [each for each in tenants if each.id == records[0].tenant_id]
        reason = given.pop("reason", "")
        made = mark_create(
            actor=self.actor,
            tenant=tenant,
            records=records,
            wanted=MarkWanted(**given),
            reason=reason,
        )
        return Response(MarkShown(made).data, status=HTTPStatus.CREATED)

    def _records(self, address: dict[str, str]) -> Sequence[Record]:
        records = selectors.call_visible(self.actor, UUID(address["pk"]))
        if not records:
            raise Http404
        return records

    def _found(self, request: Request, size: int) -> Sequence[Sequence[Record]]:
        form = CallFilters(request.query_params, queryset=Record.objects.none()).form
        if not form.is_valid():
            raise serializers.ValidationError(form.errors)
        asked: dict[str, Any] = form.cleaned_data
        tenants = selectors.call_tenants(self.actor)
        if asked["tenant"]:
            tenants = [tenant for tenant in tenants if tenant.id == asked["tenant"]]
        wanted = CallsWanted(
            app_ids=[asked["app"]] if asked["app"] else None,
            model=asked["model"],
            outcome=asked["outcome"],
            rule=asked["rule"],
            redaction=asked["redaction"],
            since=asked["since"],
            until=asked["until"],
            before=_position(request),
        )
        return selectors.calls_visible(self.actor, tenants, wanted, size)


def _position(request: Request) -> tuple[datetime.datetime, UUID] | None:
    after = pages.position(request, 2)
    if after is None:
        return None
    try:
        at, identity = datetime.datetime.fromisoformat(after[0]), UUID(after[1])
        return at.astimezone(datetime.UTC), identity
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise pages.bad_cursor() from None
