"""Samples of the management API: one request body, judged in memory and forgotten."""

import json
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Choice, Identity, Text
from gateway.api.backtests import PLACED
from gateway.exchange import Endpoint
from gateway.samples import ENDPOINTS, Sample, judge
from policies.api.faults import policy_faults
from policies.models import Policy
from policies.pdp.language import parse_document
from policies.pdp.yaml_text import BYTES_MAX
from policies.substitution import Place, substitution
from tenants.api.belonging import Naming

Shown = serializers.Serializer[Any]


class SampleRuleShown(Shown):
    """What became of one rule."""

    rule = serializers.CharField()
    layer = serializers.CharField()
    outcome = serializers.CharField()


class SampleShown(Shown):
    """What was found in a sample and what is decided: by what holds, and by the draft."""

    facts = serializers.DictField()
    failed = serializers.ListField(child=serializers.CharField())
    change = serializers.CharField()
    before = serializers.DictField()
    after = serializers.DictField()
    rules = SampleRuleShown(many=True)


class SampleCreate(Body):
    """A request body of an app; with `source` it is judged under that text as well."""

    tenant = Identity()
    app = Identity()
    body = serializers.DictField()
    endpoint = Choice([(each.value, each.value) for each in ENDPOINTS], required=False)
    source = Text(  # type: ignore[assignment]  # a field's attribute as well
        max_length=BYTES_MAX, required=False
    )
    layer = Choice(PLACED, required=False, allow_null=True)


class Samples(Naming):
    """Request bodies to try policies with. Nothing of them is kept."""

    model = Policy
    serializer_class = SampleShown
    bodies = {"create": SampleCreate}
    makes: ClassVar[frozenset[str]] = frozenset()
    repeatable = frozenset({"create"})
    access = {"create": Access("backtest.create", "backtests:write")}

    def create(self, request: Request) -> Response:
        """Judge a sample; an Idempotency-Key changes nothing, for no answer is stored."""
        given = self.given()
        tenant, app = self.tenant(given["tenant"]), self.app(given["app"])
        self.check_object_permissions(request, tenant)
        if app is None or app.tenant_id != tenant.pk:
            raise ValidationError({"app": "there is none of this id in the tenant"})
        raw = json.dumps(given["body"], ensure_ascii=False).encode()
        endpoint = Endpoint(given.get("endpoint", Endpoint.CHAT.value))
        sample = Sample(raw, app, timezone.now(), endpoint)
        with policy_faults():
            supposed = None
            if "source" in given:
                layer = given.get("layer")
                place = Place(layer, app.pk if layer == "app" else None)
                supposed = substitution(tenant, parse_document(given["source"]), place)
            found = judge(sample, supposed)
        return Response(SampleShown(found.written()).data)
