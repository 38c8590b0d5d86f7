"""What would hold if a text were published: in place of a policy, or at a place of its own."""

import uuid
from dataclasses import dataclass

from django.core.exceptions import ValidationError

from policies.pdp.decision import Layer
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.selectors import Attached, attached, effective
from tenants.models import App, Tenant

DRAFT_NUMBER = 0
"""The number of a version that is none yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a draft would hold: a layer, at the app's layer for one app. Without a layer it takes
    the place of the policy of its name, wherever that holds."""

    layer: Layer | None = None
    app_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """For each app, by id (None: any that has no policies of its own), what holds and what would.

    Raises PolicyError where the policies would not fit together.
    """

    held: Attached
    draft: Document
    place: Place

    def before(self, app_id: uuid.UUID | None) -> EffectivePolicy:
        """Return what holds now for an app."""
        return effective(self.held, self._own(app_id))

    def after(self, app_id: uuid.UUID | None) -> EffectivePolicy:
        """Return what would hold for it."""
        now = self.before(app_id)
        return EffectivePolicy(self._layered(now.layered, app_id), now.exemptions)

    def _layered(self, now: tuple[Layered, ...], app_id: uuid.UUID | None) -> list[Layered]:
        layer, draft = self.place.layer, self.draft
        if layer is None:
            return [
                Layered(each.layer, each.name, DRAFT_NUMBER, draft)
                if each.name == draft.name
                else each
                for each in now
            ]
        if layer == "app" and app_id != self.place.app_id:
            return list(now)
        return [*now, Layered(layer, draft.name, DRAFT_NUMBER, draft)]

    def _own(self, app_id: uuid.UUID | None) -> tuple[str, ...]:
        return () if app_id is None else self.held.apps.get(app_id, ())


def substitution(tenant: Tenant, draft: Document, place: Place) -> Substitution:
    """Return what a draft would change for a tenant.

    Raises ValidationError where it would hold nowhere, PolicyError where it does not fit.
    """
    held = attached(tenant)
    names = {*held.platform, *held.tenant, *(name for own in held.apps.values() for name in own)}
    if place.layer is None and draft.name not in names:
        raise ValidationError(
            {
                "policy": f"{draft.name} holds nowhere in {tenant.name}: say at which place it"
                " would (platform, tenant or app)"
            }
        )
    found = Substitution(held, draft, place)
    ids = App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED)
    for app_id in (None, *ids.values_list("pk", flat=True)):
        found.after(app_id)
    return found
