"""What a tenant looks for itself, by words and patterns, as YAML."""

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from audit.actor import Actor
from gateway.access import check, requires
from gateway.declaration.export import render
from gateway.declaration.session import Plain
from gateway.pages import Crumb, Done, FormPage, ReasonForm, form_page, given, or_404
from policies import own_detectors
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import read_yaml
from tenants.selectors import tenants_visible
from tenants.services.tenants import tenant_update

LEAD = (
    "Policies see what is found as custom.* and can deny, count or redact it by its kind."
    " docs/custom-detectors.md tells every key, with examples."
)
EXAMPLE = (
    "- kind: PROJECT_CODENAME\n  words: [Bluebird, Red Kite]\n"
    "- kind: CUSTOMER_NUMBER\n  patterns: ['CN-[0-9]{8}']\n  validator: luhn"
)


class DetectorsField(forms.CharField):
    """Detectors as YAML or JSON; nothing for none."""

    def __init__(self, **terms: Any) -> None:
        attributes = {"rows": 22, "spellcheck": "false", "class": "source", "placeholder": EXAMPLE}
        super().__init__(
            required=False,
            strip=False,
            max_length=own_detectors.BYTES_MAX,
            widget=forms.Textarea(attributes),
            help_text="A list of detectors. Empty: the tenant looks for nothing of its own.",
            **terms,
        )

    def clean(self, value: Any) -> Any:
        """Return the detectors as JSON; each fault is told with its line and column."""
        text = super().clean(value)
        if not text.strip():
            return []
        try:
            node = read_yaml(text, bytes_max=own_detectors.BYTES_MAX)
            return own_detectors.written(own_detectors.read(node))
        except PolicyError as error:
            raise ValidationError(
                [
                    f"Line {one.line}, column {one.column}: {one.message}"
                    f"{f' ({one.hint})' if one.hint else ''}."
                    for one in error.problems
                ]
            ) from None


class DetectorsForm(ReasonForm):
    """What a tenant looks for itself."""

    detectors = DetectorsField(label="Detectors")
    field_order = ("detectors", "reason")


@requires("tenant.update")
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, actor: Actor, tenant_id: uuid.UUID) -> HttpResponse:
    """Show the form, or change what a tenant looks for itself."""
    tenant = or_404(tenants_visible(actor).filter(id=tenant_id).first())
    check(actor, "tenant.update", tenant)
    address = reverse("tenant", args=[tenant.id])
    crumbs = [Crumb("Tenants", reverse("tenants")), Crumb(tenant.name, address)]
    page = FormPage(f"Detectors of {tenant.name}", "Save", address, crumbs, LEAD)
    stored: list[Plain] = list(own_detectors.ordered(tenant.detectors))
    form = DetectorsForm(given(request), initial={"detectors": render(stored) if stored else ""})

    def act(asked: Mapping[str, Any]) -> Done:
        changed = tenant_update(actor=actor, tenant=tenant, **asked)
        return Done("Saved." if changed else "Nothing differed.", address)

    return form_page(request, page, form, act)
