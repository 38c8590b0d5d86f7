"""The job that judges recorded calls under a draft."""

import datetime

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from audit.decided import Range
from gateway.backtesting import backtest
from gateway.jobs.claim import Claim, Finished, JobFailedError
from gateway.models import Job
from policies.models import Backtest
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.substitution import Place, Substitution, substitution

KEEP = datetime.timedelta(days=30)
CANCELLED = "it was cancelled"


def work(claim: Claim) -> Finished:
    """Judge the calls; the result is stored in the transaction that ends the job."""
    row = Backtest.objects.select_related("tenant").get(job_id=claim.job.pk)
    of = Range(row.since, row.until, row.tenant_id)
    with claim.kept():
        result = backtest(settings.GATEHOUSE.database_url, of, _supposed(row), claim.progress)
    told = {name: result[name] for name in ("calls", "compared", "changes", "records_per_minute")}
    return Finished(told, lambda: _store(row, result))


def spoiled(job: Job, reason: str) -> None:
    """Say of a back-test that it will have no result."""
    Backtest.objects.filter(job_id=job.pk, state=Backtest.State.PENDING).update(
        state=Backtest.State.FAILED, error=reason or CANCELLED
    )


def backtests_prune(now: datetime.datetime) -> int:
    """Delete back-tests that were asked for long ago; return how many."""
    return int(Backtest.objects.filter(created_at__lt=now - KEEP).delete()[0])


def _supposed(row: Backtest) -> Substitution:
    """Return what would hold: policies may have changed since the back-test was asked for."""
    place = Place(row.layer or None, row.app_id)  # type: ignore[arg-type]  # checked when stored
    try:
        return substitution(row.tenant, parse_document(row.source), place)
    except PolicyError as error:
        raise JobFailedError(f"the text does not fit what holds by now: {error}") from error
    except ValidationError as error:
        raise JobFailedError("; ".join(error.messages)) from error


def _store(row: Backtest, result: dict[str, object]) -> None:
    Backtest.objects.filter(pk=row.pk).update(
        state=Backtest.State.READY, result=result, ready_at=timezone.now()
    )
