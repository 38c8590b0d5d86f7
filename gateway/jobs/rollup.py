"""The job that rolls a tenant's usage up again. Terms: its days `first` and `last`, ISO dates."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from gateway.jobs.claim import Claim, Finished
from tenants.usage.rolling import usage_rebuild

DAYS_MAX = 400
YEARS = range(2000, 2100)
"""Of days that there may be records of, in every calendar."""


def check(terms: Mapping[str, Any]) -> None:
    """Raise ValidationError unless the terms are two days in order, and not too far apart."""
    if set(terms) != {"first", "last"}:
        raise ValidationError({"terms": "a rollup takes the days first and last"})
    try:
        first, last = _days(terms)
    except (TypeError, ValueError):
        raise ValidationError({"terms": "first and last are dates such as 2026-01-31"}) from None
    if first.year not in YEARS or last.year not in YEARS:
        years = f"{YEARS[0]} to {YEARS[-1]}"
        raise ValidationError({"terms": f"first and last are days of the years {years}"})
    if not 0 <= (last - first).days < DAYS_MAX:
        raise ValidationError({"terms": f"first to last are 1 to {DAYS_MAX} days, in order"})


def work(claim: Claim) -> Finished:
    """Roll the days up, one after another; a day is one statement, however long it takes."""
    first, last = _days(claim.job.terms)
    with claim.kept():
        return Finished({"days": usage_rebuild(claim.job.tenant, first, last, claim.progress)})


def _days(terms: Mapping[str, Any]) -> tuple[datetime.date, datetime.date]:
    first, last = (datetime.date.fromisoformat(terms[name]) for name in ("first", "last"))
    return first, last
