"""Analysis of a text of a policy before it is published: nothing is stored."""

from django.utils import timezone
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Body, Text
from policies.analysed import analysed
from policies.api.faults import policy_faults
from policies.api.reports import AnalysisShown
from policies.pdp.analysis.diff import compare_documents
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.yaml_text import BYTES_MAX
from policies.versions import check_names
from policies.vocabulary import known_kinds, names_for
from tenants.api.belonging import OfTenant

ACCESS = {"analyse": Access("policy.read", "policies:write")}
ANSWERS = {"analyse": AnalysisShown}


class PolicyAnalyse(Body):
    """A text of the policy."""

    source = Text(max_length=BYTES_MAX)  # type: ignore[assignment]  # a field's attribute as well


BODIES = {"analyse": PolicyAnalyse}


class Analysing(OfTenant):
    """Adds the analysis to the policies."""

    @action(detail=True, methods=["post"])
    def analyse(self, _request: Request, **_: str) -> Response:
        """Say what is wrong with a text, and what differs from the active version."""
        policy = self.get_object()
        with policy_faults():
            document = parse_document(self.given()["source"], known_kinds())
            check_names(document, names_for(self.actor))
        active = policy.active
        difference = None
        if active is not None:
            before = load_canonical(active.canonical.encode())
            difference = compare_documents(before, document).written()
        found = analysed(self.actor, policy, document, timezone.now())
        told = found.written() | {"difference": difference}
        return Response(AnalysisShown(told).data)
