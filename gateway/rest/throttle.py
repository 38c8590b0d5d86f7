"""How often one actor may call the management API: counted exactly across all web processes."""

import datetime
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from audit.rest.access import Caller
from tenants import sign_in
from tenants.sign_in import Pace

ACTOR = Pace(600, datetime.timedelta(milliseconds=20))


class PerActor(BaseThrottle):
    """A burst at once, then so many a second."""

    def __init__(self) -> None:
        self._wait: int | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the request; False where its actor has had too many."""
        if not isinstance(request.auth, Caller):
            return True
        actor = request.auth.actor
        subject = sign_in.subject("management API", f"{actor.kind}:{actor.id}")
        self._wait = sign_in.take(subject, ACTOR, timezone.now())
        return self._wait == 0

    def wait(self) -> float | None:
        """Return the seconds to wait."""
        return self._wait
