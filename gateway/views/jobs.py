"""Jobs: work that outlives a request, how far it is, and stopping it."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from audit.actor import Actor
from gateway.access import MayNotError, requires
from gateway.models import Job
from gateway.pages import (
    Crumb,
    Done,
    FormPage,
    ReasonForm,
    form_page,
    given,
    listed,
    or_404,
    tenant_chosen,
)
from gateway.selectors import jobs_visible
from gateway.services.jobs import job_cancel
from tenants.permissions import can


@requires("job.read")
@require_safe
def page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the jobs; while one is unfinished the list keeps itself up to date."""
    jobs, tenant = jobs_visible(actor), tenant_chosen(request, actor)
    if tenant is not None:
        jobs = jobs.filter(tenant=tenant)
    rows = listed(request, jobs)
    content = {
        "page": rows,
        "rows": [(job, _may_cancel(actor, job)) for job in rows],
        "is_live": any(job.finished_at is None for job in rows),
        "address": request.get_full_path(),
    }
    is_part = bool(request.headers.get("HX-Request"))
    return render(request, "gateway/job_list.html" + ("#rows" if is_part else ""), content)


@requires("job.read")
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, actor: Actor, job_id: uuid.UUID) -> HttpResponse:
    """Say what it will end, or stop the job."""
    job = or_404(jobs_visible(actor).filter(pk=job_id).first())
    if not _may_cancel(actor, job):
        raise MayNotError("job.cancel")
    page = FormPage(
        title=f"Cancel the {job.kind}",
        submit="Cancel the job",
        back=reverse("jobs"),
        crumbs=[Crumb("Jobs", reverse("jobs"))],
        effects=("What it has written so far is thrown away; a running job stops within seconds.",),
        is_dangerous=True,
    )

    def act(asked: Mapping[str, Any]) -> Done:
        stopped = job_cancel(actor=actor, job=job, reason=asked["reason"])
        said = f"The {job.kind} stops." if stopped else "It had ended already."
        return Done(said, reverse("jobs"))

    return form_page(request, page, ReasonForm(given(request)), act)


def _may_cancel(actor: Actor, job: Job) -> bool:
    return actor.id == job.owner_id or can(actor, "job.cancel", job)
