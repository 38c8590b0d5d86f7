"""Reads of the catalogue, of what is published, and of how far the installation is set up."""

import datetime
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from oauth2_provider.models import AbstractAccessToken, get_access_token_model

from audit import selectors as evidence
from audit.actor import Actor
from audit.models import Export, Record
from audit.record import day
from gateway import bundle, pricebook, tariff
from gateway.data_folder import DataFolder
from gateway.models import (
    BundleRevision,
    CachePurge,
    Deployment,
    Guard,
    Job,
    OAuthApplication,
    Price,
    Provider,
    Route,
    Service,
)
from policies.models import PolicyVersion
from tenants.models import App, Hold, Role, Tenant
from tenants.permissions import can, tenants_where
from tenants.selectors import actor_of, owner_exists, tenants_visible

SETUP_SALT = "gatehouse.setup"
SETUP_SUBJECT = "first owner"
DOWNLOAD_SALT = "gatehouse.export"
DOWNLOAD_AGE_MAX = datetime.timedelta(minutes=1)
SETUP_AGE_MAX = datetime.timedelta(days=7)


def is_seeded() -> bool:
    """Return whether the installation holds anything yet."""
    return Tenant.objects.exists() or Provider.objects.exists()


def setup_link(base_url: str) -> str | None:
    """Return the link that makes the first owner of the installation, or None once there is one."""
    if owner_exists():
        return None
    token = signing.TimestampSigner(salt=SETUP_SALT).sign(SETUP_SUBJECT)
    return f"{base_url}/setup/{token.partition(':')[2]}"


def setup_token_is_good(token: str) -> bool:
    """Return whether a set-up link may still make the first owner."""
    signed = f"{SETUP_SUBJECT}:{token}"
    try:
        signing.TimestampSigner(salt=SETUP_SALT).unsign(signed, max_age=SETUP_AGE_MAX)
    except signing.BadSignature:
        return False
    return not owner_exists()


def base_url() -> str:
    """Return where a browser on this machine finds the console."""
    return str(settings.GATEHOUSE.base_url)


def jobs_visible(actor: Actor) -> QuerySet[Job]:
    """Return the jobs of the tenants whose jobs the actor may read, newest first."""
    jobs = Job.objects.select_related("tenant").order_by("-created_at")
    ids = tenants_where(actor, "job.read")
    return jobs if ids is None else jobs.filter(tenant_id__in=ids)


def export_file(token: str) -> Path | None:
    """Return the file that a token of `export_download` opens, as long as it does."""
    try:
        export_id, part = signing.loads(token, salt=DOWNLOAD_SALT, max_age=DOWNLOAD_AGE_MAX)
    except signing.BadSignature:
        return None
    ready = Export.objects.filter(pk=export_id, state=Export.State.READY)
    path: Path = DataFolder(settings.GATEHOUSE.data).exports / export_id / part
    return path if ready.exists() and path.is_file() else None


def providers_visible(actor: Actor) -> QuerySet[Provider]:
    """Return the providers, for those who run the platform; credentials are never among it."""
    providers = Provider.objects.order_by("name")
    return providers if can(actor, "platform.read", None) else providers.none()


def deployments_visible(actor: Actor) -> QuerySet[Deployment]:
    """Return what serves the routes, for those who run the platform."""
    deployments = Deployment.objects.select_related("route", "provider")
    return deployments if can(actor, "platform.read", None) else deployments.none()


def prices_visible(actor: Actor) -> QuerySet[Price]:
    """Return the rows of prices, for those who run the platform."""
    rows = Price.objects.order_by("-id")
    return rows if can(actor, "platform.read", None) else rows.none()


def routes_visible(actor: Actor) -> QuerySet[Route]:
    """Return the public model names: all for who runs the platform, else those of one's apps."""
    routes = Route.objects.order_by("name")
    ids = tenants_where(actor, "app.read")
    if ids is None:
        return routes
    return routes.filter(name__in=models_used(Tenant.objects.filter(id__in=ids)))


def models_offered(actor: Actor) -> list[str]:
    """Return the names of the models that the actor may give to an app: all, or none.

    The platform offers each to every tenant; which of them an app lists is its tenant's affair, and
    what they may be used for its policies'. So whoever makes apps chooses from all names.
    """
    if tenants_where(actor, "app.create") == frozenset():
        return []
    return list(Route.objects.order_by("name").values_list("name", flat=True))


def models_used(tenants: QuerySet[Tenant]) -> set[str]:
    """Return the public model names that the apps of these tenants list."""
    lists = tenants.values_list("apps__models", flat=True)
    return {name for names in lists for name in names or ()}


def unknown_models(names: list[str]) -> list[str]:
    """Return those of the names that no route has."""
    known = set(Route.objects.filter(name__in=names).values_list("name", flat=True))
    return [name for name in names if name not in known]


def services_visible(actor: Actor) -> QuerySet[Service]:
    """Return the services, for those who run the platform; secrets are never among it."""
    services = Service.objects.order_by("name")
    return services if can(actor, "platform.read", None) else services.none()


def guards_visible(actor: Actor) -> QuerySet[Guard]:
    """Return the guards of the tenants whose guards the actor may read; no secret is among it."""
    guards = Guard.objects.select_related("tenant").order_by("tenant__name", "name")
    ids = tenants_where(actor, "guard.read")
    return guards if ids is None else guards.filter(tenant_id__in=ids)


def guard_kinds(actor: Actor) -> set[str]:
    """Return the kinds that guards of the tenants that the actor may see declare."""
    seen = Guard.objects.filter(tenant__in=tenants_visible(actor))
    return {kind for kinds in seen.values_list("kinds", flat=True) for kind in kinds}


def services_offered(actor: Actor) -> list[str]:
    """Return the names of the services that the actor may give to an app, as of models."""
    if tenants_where(actor, "app.create") == frozenset():
        return []
    return list(Service.objects.order_by("name").values_list("name", flat=True))


def unknown_services(names: list[str]) -> list[str]:
    """Return those of the names that no service has."""
    known = set(Service.objects.filter(name__in=names).values_list("name", flat=True))
    return [name for name in names if name not in known]


def call_tenants(actor: Actor) -> list[Tenant]:
    """Return the tenants whose calls the actor may read, removed ones too: evidence outlives."""
    tenants = Tenant.objects.order_by("name", "created_at")
    ids = tenants_where(actor, "record.read")
    return list(tenants if ids is None else tenants.filter(id__in=ids))


def call_and_frame_tenants(actor: Actor) -> tuple[list[Tenant], list[Tenant]]:
    """Return `call_tenants` and the tenants that the frame of a page lists, in one statement."""
    calls, read = tenants_where(actor, "record.read"), tenants_where(actor, "tenant.read")
    rows = Tenant.objects.order_by("name", "created_at")
    if calls is not None and read is not None:
        rows = rows.filter(id__in=calls | read)
    found = list(rows)
    standing = [row for row in found if row.state != Tenant.State.REMOVED]
    return (
        [row for row in found if calls is None or str(row.id) in calls],
        [row for row in standing if read is None or str(row.id) in read],
    )


def call_apps(actor: Actor, tenants: Collection[Tenant]) -> list[App]:
    """Return the apps, removed ones too, of those of the tenants whose calls the actor may read."""
    ids = _readable(actor, tenants)
    return list(App.objects.filter(tenant_id__in=ids).order_by("name", "created_at"))


def calls_visible(
    actor: Actor, tenants: Collection[Tenant], wanted: evidence.CallsWanted, size: int
) -> list[list[Record]]:
    """Return the records of calls of these tenants, as far as the actor may read them."""
    ids = _readable(actor, tenants)
    if wanted.outcome == "in_flight":  # each admission opened a hold, and what ends it closes that
        holds = Hold.objects.filter(tenant_id__in=ids, state=Hold.State.OPEN)
        wanted = replace(wanted, among=set(holds.values_list("call_id", flat=True)))
    return evidence.calls_page(ids, wanted, size)


def call_visible(actor: Actor, call_id: UUID) -> list[Record]:
    """Return the records of one call by attempt; none where there is no such call to see."""
    try:
        filed = day(call_id)
    except (ValueError, OverflowError):  # no id of ours: it names a day that no calendar has
        return []
    return evidence.call_records(actor, call_id=call_id, day=filed)


def versions_recorded(records: Collection[Record]) -> list[PolicyVersion]:
    """Return the policy versions that records name: who may read those may read these."""
    return versions_named(
        {label for record in records for label in record.body.get("policies", ())}
    )


def versions_named(labels: Iterable[str]) -> list[PolicyVersion]:
    """Return the policy versions that are named so, as "name@number"."""
    named = Q()
    for label in labels:
        name, _, number = label.rpartition("@")
        if number.isdecimal():
            named |= Q(policy__name=name, number=int(number))
    if not named:
        return []
    return list(PolicyVersion.objects.filter(named).select_related("policy"))


def models_askable(records: Sequence[Record]) -> list[str]:
    """Return the models that the app of a refused call may ask for now, sorted; none where it is
    gone, and none for a call that was permitted, which asks for no other way."""
    if not any(record.kind == "refused" for record in records):
        return []
    app_id = records[0].app_id
    apps = App.objects.exclude(state=App.State.REMOVED)
    app = None if app_id is None else apps.filter(pk=app_id).first()
    routes = Route.objects.filter(name__in=[] if app is None else app.models)
    return list(routes.order_by("name").values_list("name", flat=True))


def _readable(actor: Actor, tenants: Collection[Tenant]) -> list[UUID]:
    ids = tenants_where(actor, "record.read")
    return [tenant.id for tenant in tenants if ids is None or str(tenant.id) in ids]


def tenants_behind(now: datetime.datetime, renew_after: datetime.timedelta) -> QuerySet[Tenant]:
    """Return the tenants to publish: changed since, or with windows that will run out."""
    fresh = BundleRevision.objects.filter(
        tenant_id=OuterRef("pk"), created_at__gt=now - renew_after
    )
    behind = Q(revision__gt=F("published_revision")) | ~Q(Exists(fresh))
    active = Tenant.objects.exclude(state=Tenant.State.REMOVED)
    return active.filter(behind).order_by("id")


def own_line(of: Route | Deployment) -> tuple[tariff.Entry, ...]:
    """Return the prices that were set for a route or deployment, from which instant on."""
    return _line(_rows(of).exclude(source__startswith=pricebook.SOURCE))


def book_line(deployment: Deployment) -> tuple[tariff.Entry, ...]:
    """Return the price book's prices of a deployment, from which instant on."""
    return _line(_rows(deployment).filter(source__startswith=pricebook.SOURCE))


def purges(tenant: Tenant) -> dict[str, int]:
    """Return since which revision a tenant's answers are kept, by scope: see CachePurge."""
    rows = CachePurge.objects.filter(tenant=tenant)
    return dict(rows.order_by("scope").values_list("scope", "revision"))


def purges_visible(actor: Actor) -> QuerySet[CachePurge]:
    """Return the purges of the tenants whose apps the actor may read."""
    rows = CachePurge.objects.order_by("-id")
    ids = tenants_where(actor, "app.read")
    return rows if ids is None else rows.filter(tenant_id__in=ids)


def prices(deployments: Sequence[Deployment]) -> dict[UUID, tuple[bundle.Price, ...]]:
    """Return by id what deployments cost: their own price, else their route's, else the book's."""
    ids = [deployment.id for deployment in deployments]
    route_ids = {deployment.route_id for deployment in deployments}
    rows = Price.objects.filter(Q(deployment_id__in=ids) | Q(route_id__in=route_ids))
    own: dict[UUID | None, list[Price]] = {}
    book: dict[UUID | None, list[Price]] = {}
    for row in rows.order_by("id"):
        layer = book if row.source.startswith(pricebook.SOURCE) else own
        layer.setdefault(row.deployment_id or row.route_id, []).append(row)
    return {
        deployment.id: tariff.combine(
            [
                _line(own.get(deployment.id, ())),
                _line(own.get(deployment.route_id, ())),
                _line(book.get(deployment.id, ())),
            ]
        )
        for deployment in deployments
    }


def own_price(of: Route | Deployment) -> Price | None:
    """Return the price last set for a route or deployment, unless it was withdrawn since."""
    rows = _rows(of).exclude(source__startswith=pricebook.SOURCE)
    last = rows.order_by("-id").first()
    return None if last is None or last.withdrawn else last


def _rows(of: Route | Deployment) -> QuerySet[Price]:
    rows = Price.objects.order_by("id")
    return rows.filter(route=of) if isinstance(of, Route) else rows.filter(deployment=of)


def _line(rows: Iterable[Price]) -> tuple[tariff.Entry, ...]:
    return tariff.history(
        (int(row.effective_from.timestamp()), None if row.withdrawn else _price(row))
        for row in rows
    )


def _price(row: Price) -> bundle.Price:
    return bundle.Price(
        currency=row.currency,
        input_pico=row.input_pico,
        output_pico=row.output_pico,
        cached_input_pico=row.cached_input_pico,
        cache_write_pico=row.cache_write_pico,
        request_pico=row.request_pico,
        effective_from=int(row.effective_from.timestamp()),
    )


def applications_visible(actor: Actor) -> QuerySet[OAuthApplication]:
    """Return the OAuth2 applications that the actor may read; the platform's are its owner's."""
    applications = OAuthApplication.objects.select_related("tenant")
    ids = tenants_where(actor, "oauth_application.read")
    return applications if ids is None else applications.filter(tenant_id__in=ids)


def token_application(token: str) -> OAuthApplication | None:
    """Return the application that an access token was issued to, expired or not.

    None where the token can be good no more: its person may not sign in, or its tenant is gone.
    """
    checksum = hashlib.sha256(token.encode()).hexdigest()
    found = get_access_token_model().objects.filter(token_checksum=checksum)
    row = found.select_related("user", "application__tenant").first()
    return None if row is None or bearer(row, "") is None else row.application


def bearer(token: AbstractAccessToken, source: str) -> Actor | None:
    """Return who acts with a token: its application, or a person through it; None for nobody now.

    A person through an application of a tenant has only the roles that they have in that tenant.
    """
    application: OAuthApplication | None = token.application
    if application is None or not application.is_usable(None):
        return None
    if token.user is None:
        return _as_itself(application, source)
    return _through(actor_of(token.user, source), application) if token.user.is_active else None


def application_actor(identity: str) -> Actor | None:
    """Return an application that acts as itself, with what it may do now; None: no more at all."""
    try:
        found = OAuthApplication.objects.filter(pk=UUID(identity)).first()
    except ValueError:
        return None
    return _as_itself(found, "") if found is not None and found.is_usable(None) else None


def _as_itself(application: OAuthApplication, source: str) -> Actor:
    tenant_id = None if application.tenant_id is None else str(application.tenant_id)
    roles = {} if tenant_id is None else {tenant_id: frozenset(application.roles)}
    return Actor(
        kind="application",
        id=str(application.id),
        name=application.name,
        source=source,
        memberships=roles,
        is_superuser=tenant_id is None,
        maker=str(application.user_id or ""),
    )


def _through(person: Actor, application: OAuthApplication) -> Actor:
    name = f"{person.name} through {application.name}"
    if application.tenant_id is None:
        return replace(person, name=name)
    tenant_id = str(application.tenant_id)
    roles = frozenset({Role.OWNER.value}) if person.is_superuser else person.roles_in(tenant_id)
    memberships = {tenant_id: roles} if roles else {}
    return replace(person, name=name, memberships=memberships, is_superuser=False)


def model_names() -> list[str]:
    """Return the public names of all models."""
    return list(Route.objects.values_list("name", flat=True))


def service_names() -> list[str]:
    """Return the names of all services."""
    return list(Service.objects.values_list("name", flat=True))
