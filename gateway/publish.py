"""Database to bundle: all that holds for a tenant, read at one moment, frozen and announced.

A tenant whose configuration cannot be compiled keeps its last good bundle; why is written down at
the tenant. Publishing the same revision twice is harmless.
"""

import datetime
import logging
import uuid
import zoneinfo
from collections.abc import Iterable, Iterator, Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from gateway import bundle, credentials, published_services, transforming
from gateway.bundle import Bundle, BundleError
from gateway.guards import published
from gateway.models import BundleRevision, Credential, Deployment, Route
from gateway.proxy.store import feed
from gateway.selectors import prices, purges
from gateway.transformation.fault import UnfitTransformation
from policies import own_detectors
from policies.detectors.custom import CustomDetector
from policies.models import PolicyVersion, Rollout
from policies.pdp.document import Document
from policies.pdp.language import PolicyError, load_canonical
from policies.pdp.obligations import RouteTo
from policies.selectors import (
    Attached,
    TwoRolloutsError,
    attached,
    check_effective,
    exemptions_for,
)
from tenants.budgets import window_starts, without_ceiling
from tenants.models import App, Budget, RateLimit, Tenant
from tenants.selectors import budget_shapes

log = logging.getLogger(__name__)

KEEP = 20
"""How many of a tenant's bundles are kept."""

BACKWARD = datetime.timedelta(days=1)
FORWARD = datetime.timedelta(days=40)
FORWARD_MONTHS = datetime.timedelta(days=130)
RENEW_AFTER = datetime.timedelta(days=7)
"""A bundle knows its windows so far back and forth: it is compiled anew long before they end."""

PER_S = {"": 0, "second": 1, "minute": 60, "hour": 3600, "day": 86400}


class CannotCompileError(ValueError):
    """A tenant's configuration contradicts itself; the message says how."""


def publish(tenant_id: uuid.UUID) -> int | None:
    """Compile a tenant and store the bundle; return its revision, or None where that failed."""
    now = timezone.now()
    try:
        compiled = _snapshot(tenant_id, now)
    except (
        CannotCompileError,
        TwoRolloutsError,
        PolicyError,
        BundleError,
        UnfitTransformation,
    ) as error:
        _note_failure(tenant_id, str(error))
        return None
    body, checksum = bundle.encode(compiled)
    with transaction.atomic():
        row = BundleRevision(
            tenant_id=tenant_id, revision=compiled.revision, body=body, checksum=checksum
        )
        BundleRevision.objects.bulk_create([row], ignore_conflicts=True)
        Tenant.objects.filter(pk=tenant_id, published_revision__lte=compiled.revision).update(
            published_revision=compiled.revision, publish_error=""
        )
        _prune(tenant_id)
    feed.announce(settings.GATEHOUSE.redis_url, str(tenant_id), compiled.revision)
    return compiled.revision


def compile_bundle(tenant: Tenant, now: datetime.datetime) -> Bundle:
    """Return the bundle of a tenant as the current transaction sees it.

    Raises CannotCompileError or PolicyError.
    """
    held = attached(tenant)
    documents = {name: _document(version) for name, version in held.versions.items()}
    apps = list(App.objects.filter(tenant=tenant).exclude(state=App.State.REMOVED).order_by("name"))
    _check_policies(held, apps)
    _check_ceilings(tenant)
    candidates = {name: _document(version) for name, version in held.candidates.items()}
    texts = [*documents.values(), *candidates.values()]
    names = {name for app in apps for name in app.models} | _routed_to(texts)
    return Bundle(
        format=bundle.FORMAT,
        revision=tenant.revision,
        tenant_id=str(tenant.id),
        tenant=tenant.name,
        active=tenant.state == Tenant.State.ACTIVE,
        timezone=tenant.timezone,
        evidence=tenant.evidence,
        tags=tuple(tenant.tags),
        pii_countries=tuple(tenant.pii_countries),
        pii_phone_regions=tuple(tenant.pii_phone_regions),
        pii_entities=tuple(tenant.pii_entities),
        cors_origins=tuple(tenant.cors_origins),
        apps={str(app.id): _app(app, held) for app in apps},
        routes=_routes(names, texts),
        services=published_services.of(apps),
        guards=published.of(tenant),
        budgets=_budgets(tenant, now),
        limits=_limits(tenant),
        policies={name: _policy_text(name, version) for name, version in held.versions.items()},
        platform_policies=held.platform,
        tenant_policies=held.tenant,
        exemptions=_exemptions(tenant, held, now),
        candidates=tuple(_candidate(rollout) for rollout in held.rollouts),
        purges=purges(tenant),
        default_model=tenant.default_model,
        tier_models=dict(tenant.tier_models),
        detectors=_detectors(tenant),
    )


def _snapshot(tenant_id: uuid.UUID, now: datetime.datetime) -> Bundle:
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return compile_bundle(Tenant.objects.get(pk=tenant_id), now)


def _note_failure(tenant_id: uuid.UUID, why: str) -> None:
    changed = Tenant.objects.filter(pk=tenant_id).exclude(publish_error=why)
    if changed.update(publish_error=why):
        log.error("publish_failed", extra={"tenant_id": str(tenant_id), "error": why})


def _prune(tenant_id: uuid.UUID) -> None:
    revisions = BundleRevision.objects.filter(tenant_id=tenant_id).order_by("-revision")
    oldest_kept = revisions.values_list("revision", flat=True)[KEEP - 1 : KEEP].first()
    if oldest_kept is not None:
        BundleRevision.objects.filter(tenant_id=tenant_id, revision__lt=oldest_kept).delete()


def _check_policies(held: Attached, apps: Iterable[App]) -> None:
    for own in {held.apps.get(app.id, ()) for app in apps}:
        check_effective(held, own)


def _check_ceilings(tenant: Tenant) -> None:
    for budget in without_ceiling(budget_shapes(tenant)):
        raise CannotCompileError(
            f"the hard budget {budget.name} is grouped by what a client declares: it needs an"
            f" ungrouped hard budget in {budget.currency} above it"
        )


def _detectors(tenant: Tenant) -> tuple[CustomDetector, ...]:
    try:
        return own_detectors.of_json(tenant.detectors)
    except ValidationError as error:  # another version took them
        raise CannotCompileError("; ".join(error.messages)) from None


def _routed_to(documents: Iterable[Document]) -> set[str]:
    rules = [rule for document in documents for rule in document.rules]
    return {rule.route.model for rule in rules if isinstance(rule.route, RouteTo)}


def _routes(names: set[str], documents: Iterable[Document]) -> dict[str, bundle.Route]:
    """Return the routes that apps may call and those that policies route to, all of the latter."""
    rows = list(Route.objects.filter(name__in=names).order_by("name"))
    for document in documents:
        for target in sorted(_routed_to([document]) - {row.name for row in rows}):
            raise CannotCompileError(
                f"the policy {document.name} routes to {target}, which is no model"
            )
    served: dict[uuid.UUID, list[bundle.Deployment]] = {row.id: [] for row in rows}
    for route_id, deployment in _deployments(rows):
        served[route_id].append(deployment)
    return {
        row.name: bundle.Route(
            name=row.name,
            max_output_tokens=row.max_output_tokens,
            default_max_output_tokens=row.default_max_output_tokens,
            deployments=tuple(served[row.id]),
            plan=_plan(row),
            transformation=transforming.canonical(row.transformation, of_route=True),
        )
        for row in rows
    }


def _plan(row: Route) -> bundle.Plan:
    return bundle.Plan(
        strategy=row.strategy,
        sticky=row.sticky,
        regional=row.regional,
        drop_unsupported=row.drop_unsupported,
        retries=row.retries,
        hedge_after_ms=row.hedge_after_ms,
        context_tokens=row.context_tokens,
        fallbacks=tuple(row.fallbacks),
        cache_ttl_s=row.cache_ttl_s,
        cache_stale_s=row.cache_stale_s,
        cache_entry_bytes=row.cache_entry_bytes,
        cache_hit_percent=row.cache_hit_percent,
        cache_vary=tuple(row.cache_vary),
    )


def _deployments(routes: Sequence[Route]) -> Iterator[tuple[uuid.UUID, bundle.Deployment]]:
    rows = Deployment.objects.filter(route__in=routes).select_related("provider")
    deployments = list(rows.order_by("priority", "id"))
    costs = prices(deployments)
    sealed = _credentials({deployment.provider_id for deployment in deployments})
    for row in deployments:
        held = sealed.get(row.provider_id, ())
        yield (
            row.route_id,
            bundle.Deployment(
                id=str(row.id),
                provider=row.provider.name,
                dialect=row.provider.dialect,
                base_url=row.provider.base_url,
                allow_private=row.provider.allow_private,
                model=row.model,
                weight=row.weight,
                priority=row.priority,
                region=row.region,
                prices=costs[row.id],
                credential=held[0] if held else None,
                spare_credentials=tuple(held[1:]),
                timeouts=_timeouts(row),
            ),
        )


def _timeouts(row: Deployment) -> bundle.Timeouts | None:
    own = bundle.Timeouts(row.connect_s, row.first_byte_s, row.idle_s, row.total_s)
    return None if own == bundle.Timeouts() else own


def _credentials(provider_ids: set[uuid.UUID]) -> dict[uuid.UUID, list[bundle.SealedCredential]]:
    """Return the credentials in use by provider, in the order of their labels."""
    rows = Credential.objects.filter(provider_id__in=provider_ids, state=Credential.State.ACTIVE)
    found: dict[uuid.UUID, list[bundle.SealedCredential]] = {}
    for row in rows.order_by("label", "id"):
        sealed = bundle.SealedCredential(
            bytes(row.sealed), row.key_id, credentials.row_name(row.id, row.provider_id)
        )
        found.setdefault(row.provider_id, []).append(sealed)
    return found


def _app(app: App, held: Attached) -> bundle.App:
    return bundle.App(
        id=str(app.id),
        name=app.name,
        tier=app.tier,
        active=app.state == App.State.ACTIVE,
        models=tuple(app.models),
        policies=held.apps.get(app.id, ()),
        services=tuple(app.services),
        cache=app.cache,
        transformation=transforming.canonical(app.transformation, of_route=False),
    )


def _budgets(tenant: Tenant, now: datetime.datetime) -> tuple[bundle.Budget, ...]:
    zone = zoneinfo.ZoneInfo(tenant.timezone)
    rows = Budget.objects.filter(tenant=tenant, is_active=True).select_related("key")
    return tuple(_budget(row, zone, now) for row in rows.order_by("name", "id"))


def _budget(row: Budget, zone: zoneinfo.ZoneInfo, now: datetime.datetime) -> bundle.Budget:
    forward = FORWARD_MONTHS if row.window == Budget.Window.MONTH else FORWARD
    return bundle.Budget(
        id=str(row.id),
        name=row.name,
        limit_micros=row.limit_micros,
        currency=row.currency,
        window=row.window,
        hard=row.mode == Budget.Mode.HARD,
        group_by=tuple(row.group_by),
        app_id=str(row.app_id or ""),
        key_id=row.key.public_id if row.key is not None else "",
        starts=window_starts(row.window, zone, now - BACKWARD, now + forward),
    )


def _limits(tenant: Tenant) -> tuple[bundle.Limit, ...]:
    rows = RateLimit.objects.filter(tenant=tenant, is_active=True).select_related("key")
    return tuple(
        bundle.Limit(
            id=str(row.id),
            name=row.name,
            kind=row.kind,
            amount=row.amount,
            per_s=PER_S[row.per],
            burst=row.burst or row.amount,
            app_id=str(row.app_id or ""),
            key_id=row.key.public_id if row.key is not None else "",
        )
        for row in rows.order_by("name", "id")
    )


def _document(version: PolicyVersion) -> Document:
    return load_canonical(version.canonical.encode())


def _exemptions(
    tenant: Tenant, held: Attached, now: datetime.datetime
) -> tuple[bundle.Exempting, ...]:
    return tuple(
        bundle.Exempting(
            name=item.name,
            rules=tuple(sorted(item.rules)),
            expires_s=item.expires_s,
            apps=tuple(sorted(item.apps)),
            keys=tuple(sorted(item.keys)),
        )
        for item in exemptions_for(tenant, held, now)
    )


def _candidate(rollout: Rollout) -> bundle.Candidate:
    text = _policy_text(rollout.policy.name, rollout.version)
    return bundle.Candidate(str(rollout.id), rollout.percent, text)


def _policy_text(name: str, version: PolicyVersion) -> bundle.PolicyText:
    return bundle.PolicyText(name, version.number, version.hash, version.canonical)
