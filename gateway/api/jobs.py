"""Jobs of the management API: work that outlives a request."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity
from audit.rest.filters import one_of
from gateway.jobs.kinds import KINDS
from gateway.models import Job
from gateway.selectors import jobs_visible
from gateway.services.jobs import job_cancel, job_create
from tenants.api.belonging import OfTenant, TenantFilters

ASKED_FOR = [(name, name) for name, kind in KINDS.items() if kind.check is not None]


class JobShown(serializers.ModelSerializer[Job]):
    """A job; `done` of `total` says how far it is, once the work has been measured."""

    terms = serializers.DictField(read_only=True)
    result = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = Job
        fields = (
            "id",
            "tenant",
            "kind",
            "terms",
            "owner",
            "state",
            "done",
            "total",
            "attempts",
            "cancel_wanted",
            "result",
            "error",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields


class JobCreate(Change):
    """Work that needs nothing but its terms; a rollup's are its days `first` and `last`."""

    tenant = Identity()
    kind = Choice(ASKED_FOR)
    terms = serializers.DictField()


class JobFilters(TenantFilters):
    """Jobs by tenant, kind and state."""

    kind = one_of([(name, name) for name in KINDS])
    state = one_of(Job.State.choices)


class Jobs(OfTenant):
    """Work in the background, finished work for some weeks."""

    model = Job
    serializer_class = JobShown
    filterset_class = JobFilters
    volatile = ("state", "done", "total", "attempts", "result", "error")
    bodies = {"create": JobCreate, "cancel": Change}
    access = {
        "list": Access("job.read", "jobs:read"),
        "retrieve": Access("job.read", "jobs:read"),
        "create": Access("job.create", "jobs:write"),
        "cancel": Access("job.cancel", "jobs:write", others=("job.read",)),
    }

    def visible(self) -> QuerySet[Job]:
        """Return the jobs that the actor may read."""
        return jobs_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Ask for work; a worker takes it when one is free."""
        given = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        return self.made(job_create(actor=self.actor, tenant=tenant, **given))

    @action(detail=True, methods=["post"])
    def cancel(self, _request: Request, **_: str) -> Response:
        """Stop a job, at once or at its next report; one that has ended stays as it is."""
        job_cancel(actor=self.actor, job=self.get_object(), **self.given())
        return self.show(self.get_object())
