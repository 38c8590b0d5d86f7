"""`manage.py demo`: a believable organisation with weeks of calls, to see and to measure with."""

import datetime
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from gateway.declaration.faults import DeclarationError
from gateway.demo.fill import fill
from gateway.demo.organisation import TENANTS, set_up
from gateway.management.output import document, refused

DAYS_MAX = 395
CALLS_MAX = 10_000_000


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number between two."""

    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


class Command(BaseCommand):
    help = f"Make the tenants {' and '.join(TENANTS)}, their people and keys, and calls over days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=whole(1, DAYS_MAX), default=30)
        parser.add_argument("--calls", type=whole(1, CALLS_MAX), default=20_000)
        parser.add_argument("--seed", default="1", help="the same seed makes the same calls")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(
        self, *_args: Any, days: int, calls: int, seed: str, json: bool, **_options: Any
    ) -> None:
        # Whole hours, so that two runs within one make the same.
        now = timezone.now().replace(minute=0, second=0, microsecond=0)
        since, began_s = now - datetime.timedelta(days=days), time.monotonic()
        try:
            organisation = set_up(calls, days, since, now)
            filled = fill(organisation, calls, since, now, seed)
        except ValidationError as error:
            raise refused(error) from None
        except DeclarationError as error:
            raise CommandError(str(error)) from None
        told = {
            "tenants": [tenant.name for tenant in organisation.tenants],
            "keys": len(organisation.keys),
            "people": list(organisation.people),
            "password": organisation.password,
            "days": days,
            "calls": filled.calls,
            "records": filled.records,
            "seconds": round(time.monotonic() - began_s, 1),
        }
        self.stdout.write(document(told) if json else _text(told))


def _text(told: dict[str, Any]) -> str:
    password = told["password"] or "as before"
    return "\n".join(
        [
            f"{told['calls']} calls over {told['days']} days ({told['records']} records)"
            f" in {told['seconds']} s, of the tenants {', '.join(told['tenants'])}.",
            f"People, password {password}:",
            *(f"  {email}" for email in told["people"]),
        ]
    )
