"""A tenant whose policies are attached and active, with calls that they decided."""

import datetime
from dataclasses import replace

from django.utils import timezone

from policies.models import Attachment, Policy, PolicyVersion
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.substitution import substitution
from tests.gateway.call_records import HOUSE, World

HOUR = datetime.timedelta(hours=1)


class Past(World):
    """Calls that were decided by policies that hold still, all attached to the tenant."""

    def __init__(self, unique):
        super().__init__(unique)
        for layered in self.layered:
            policy = Policy.objects.get(name=layered.name)
            policy.active = PolicyVersion.objects.get(policy=policy, number=layered.version)
            policy.save()
            Attachment.objects.create(policy=policy, tenant=self.tenant)
        # Attached to the tenant alone, so that no other test meets it.
        self.policy = EffectivePolicy(
            [replace(layered, layer="tenant") for layered in self.layered]
        )

    @property
    def house(self):
        """The policy that most of the rules stand in."""
        return Policy.objects.get(name=self.layered[1].name)

    def house_text(self, old="", new=""):
        """Return its text with a change."""
        text = HOUSE.format(name=self.house.name)
        assert old in text
        return text.replace(old, new)

    def substitution(self, text, place):
        """Return what would hold with a text."""
        return substitution(self.tenant, parse_document(text), place)

    def range(self):
        """Return from when to when all calls are."""
        now = timezone.now()
        return now - 3 * HOUR, now + HOUR
