"""What stands beside the active version of policies, read in the query that lists them."""

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from policies.models import Draft, Emergency, Policy, Review, Rollout, Schedule

PENDING = {
    "draft": ("Draft", Q(has_draft=True)),
    "review": ("Under review", Q(is_reviewed=True)),
    "scheduled": ("Scheduled", Q(comes_at__isnull=False)),
    "candidate": ("Candidate beside it", Q(percent__isnull=False)),
    "emergency": ("In force by an emergency", Q(is_emergency=True)),
}
"""Each kind of what is pending: how it is called, and how policies are narrowed to it."""
ANY = "any"


def with_pending(policies: QuerySet[Policy]) -> QuerySet[Policy]:
    """Return the policies, each with what is pending.

    `has_draft`; `is_reviewed`: a text waits for a second person; `comes_at` and `comes`: when which
    version comes into force by itself; `percent` and `candidate`: how many of the keys are served
    which version beside the active one (0: none, it is in shadow); `is_emergency`: the active
    version came by an emergency, and nobody else has decided on it; `ends_at`: when that ends.
    """
    mine = OuterRef("pk")
    open_reviews = Review.objects.filter(policy=mine, state=Review.State.OPEN)
    waiting = Schedule.objects.filter(policy=mine, state=Schedule.State.WAITING)
    running = Rollout.objects.filter(policy=mine, state=Rollout.State.RUNNING)
    return policies.annotate(
        has_draft=Exists(Draft.objects.filter(policy=mine)),
        is_reviewed=Exists(open_reviews.filter(afterwards=False)),
        is_emergency=Exists(open_reviews.filter(afterwards=True, version=OuterRef("active"))),
        ends_at=Subquery(
            Emergency.objects.filter(policy=mine, state=Emergency.State.RUNNING).values(
                "expires_at"
            )[:1]
        ),
        comes_at=Subquery(waiting.values("at")[:1]),
        comes=Subquery(waiting.values(number=F("version__number"))[:1]),
        percent=Subquery(running.values("percent")[:1]),
        candidate=Subquery(running.values(number=F("version__number"))[:1]),
    )


def narrowed(policies: QuerySet[Policy], kind: str) -> QuerySet[Policy]:
    """Return those of the policies `with_pending` in which this is; `any`: anything."""
    if kind != ANY:
        return policies.filter(PENDING[kind][1])
    anything = Q()
    for _, has in PENDING.values():
        anything |= has
    return policies.filter(anything)
