"""Usage for the tests of pages: calls booked as the data plane does, and rolled up."""

import datetime

from django.utils import timezone

from tenants.usage.rolling import usage_roll
from tests.booked import Calls

HOUR = datetime.timedelta(hours=1)


def used(world, now=None):
    """Three calls of today and one of the day before the range of a week, rolled up."""
    now = now or timezone.now()
    calls = Calls(world.tenant, world.app, key="K7hTq2mXab")
    calls.call(now, model="gpt-4o", user="=ann", tags=("team=red",), cost_pico=4_000_000)
    calls.call(now, model="gpt-4o-mini", user="bob", redacted=True, cost_pico=2_000_000)
    calls.call(now, model="gpt-4o-mini", currency="EUR", cost_pico=3_000_000, code="upstream_error")
    calls.refuse(now, model="gpt-4o", user="bob")
    calls.call(now - 8 * 24 * HOUR, model="gpt-4o", cost_pico=2_000_000)
    calls.book()
    usage_roll()
    return calls
