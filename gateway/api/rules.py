"""Rules of the management API: how often each matched, and how often it was wrong."""

import datetime
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import RuleHits
from audit.rest.access import Access
from audit.rest.fields import Body, Identity, Recorded, Text
from audit.rest.problems import Problem
from audit.rule_hits import rule_figures
from tenants.api.belonging import Naming
from tenants.permissions import can

DAYS = 30
RANGE_MAX = datetime.timedelta(days=400)


class RuleShown(serializers.Serializer[Any]):
    """How a rule did over a time; hours are the smallest part of it.

    `denied` of the calls it refused. `decide_us` is the mean time in which calls that it matched in
    were judged, by all rules. `precision_percent` is the share of the marked calls where it was
    right: an estimate, as good as the marks are many.
    """

    rule = serializers.CharField()
    mode = serializers.CharField()
    calls = serializers.IntegerField()
    denied = serializers.IntegerField()
    decide_us = serializers.IntegerField(allow_null=True)
    last_hour = serializers.DateTimeField()
    false_positives = serializers.IntegerField()
    correct = serializers.IntegerField()
    precision_percent = serializers.IntegerField(allow_null=True)


class RulesShown(serializers.Serializer[Any]):
    """The rules that matched, those that matched most first."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    results = RuleShown(many=True)


class RulesAsked(Body):
    """Rules of a tenant's calls, or those of one policy; by default of the last 30 days."""

    tenant = Identity()
    policy = Text(required=False, max_length=63)
    since = Recorded(required=False)
    until = Recorded(required=False)


class Rules(Naming):
    """How rules do."""

    model = RuleHits
    serializer_class = RulesShown
    queries = {"list": RulesAsked}
    access = {"list": Access("policy.read", "policies:read")}

    @classmethod
    def listings(cls) -> frozenset[str]:
        """Return no methods: the list has no pages."""
        return frozenset()

    def list(self, _request: Request) -> Response:
        """Tell of each rule that matched how often, and what its calls were marked as."""
        asked = self.asked()
        tenant = self.tenant(asked["tenant"])
        if not can(self.actor, "policy.read", tenant):
            raise Problem(HTTPStatus.FORBIDDEN, "It takes the permission policy.read there.")
        until = asked.get("until") or timezone.now()
        since = asked.get("since") or until - datetime.timedelta(days=DAYS)
        if not datetime.timedelta(0) < until - since <= RANGE_MAX:
            fault = {"field": "until", "message": f"a range is of at most {RANGE_MAX.days} days"}
            raise Problem(HTTPStatus.BAD_REQUEST, "The range cannot be told.", [fault])
        found = rule_figures([tenant.pk], since, until, asked.get("policy", ""))
        told = {"since": since, "until": until, "results": found}
        return Response(RulesShown(told).data)
