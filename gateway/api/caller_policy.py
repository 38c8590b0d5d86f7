"""The policy of a key: what the rules of all layers come to for its calls, and what is wrong."""

import time

from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from policies.api.faults import policy_faults
from policies.api.reports import CallerPolicyShown
from policies.pdp.analysis.analyse import analyse
from policies.pdp.partial import for_caller
from policies.selectors import attached, effective
from policies.silence import hits_of
from tenants.api.belonging import OfTenant
from tenants.permissions import require

ACCESS = {"policy": Access("policy.read", "policies:read")}
ANSWERS = {"policy": CallerPolicyShown}


class WithPolicy(OfTenant):
    """Adds what holds for a key to the keys."""

    @action(detail=True, methods=["get"])
    def policy(self, _request: Request, **_: str) -> Response:
        """Say what the policies of all layers come to for the calls of a key."""
        key = self.get_object()
        require(self.actor, "policy.read", key.tenant)
        held = attached(key.tenant)
        with policy_faults():
            whole = effective(held, held.apps.get(key.app_id, ()))
        known = {
            "tenant.name": key.tenant.name,
            "app.name": key.app.name,
            "app.tier": key.app.tier or "",
            "key.id": key.public_id,
            "key.name": key.name,
        }
        told = for_caller(whole, known, time.time()).written()
        versions = [held.versions[each.name] for each in whole.layered]
        hits = hits_of([key.tenant_id], versions, timezone.now())
        report = analyse(whole, hits).written()
        return Response(CallerPolicyShown({**told, "report": report}).data)
