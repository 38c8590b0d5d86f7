"""Whether this installation can keep its promises: what an operator asks before going live."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from audit.selectors import partitions_ahead
from gateway import credentials, service_credentials
from gateway.envelope import EnvelopeError
from gateway.guards import sealing
from gateway.guards.models import Guard, GuardSecret
from gateway.guards.trial import tried
from gateway.models import Credential, Provider, ServiceCredential
from gateway.ner.asking import NoAnswer, hello
from gateway.probe import probe
from gateway.proxy.store.survey import SurveyError, survey
from tenants.models import Tenant

POSTGRESQL_MIN = 150_000
REDIS_MIN = (6, 2)
PARTITIONS_MIN = 7
NER_PATIENCE_S = 2.0

_SETTINGS = """
SELECT current_setting('server_version_num'), current_setting('fsync'),
       current_setting('synchronous_commit')
"""
_ROLE = """
SELECT rolsuper, rolbypassrls,
       EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace
               AND relkind IN ('r', 'p') AND pg_has_role(current_user, relowner, 'USAGE'))
FROM pg_roles WHERE rolname = current_user
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `detail` says what is wrong, or what was found."""

    check: str
    ok: bool
    detail: str


def examine(*, offline: bool = False) -> list[Finding]:
    """Return the result of every check; where the database is away, of those that do without.

    `offline` connects to no provider.
    """
    findings = list(_guarded("database", _database))
    if all(finding.ok for finding in findings if finding.check == "database"):
        findings += _guarded("migrations", _migrations)
        findings += _guarded("partitions", _partitions)
        findings += _guarded("credentials", _credentials)
        findings += _guarded("names", _names)
        findings += [] if offline else _guarded("providers", _providers)
        findings += [] if offline else _guarded("guards", _guards)
    return findings + list(_redis())


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except OperationalError as error:
        first_line = str(error).strip().partition("\n")[0]
        return [Finding(name, ok=False, detail=f"no answer: {first_line}")]


def _database() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS)
        version, *rest = cursor.fetchone()
    durable = dict(zip(("fsync", "synchronous_commit"), rest, strict=True))
    yield Finding(
        "database",
        ok=int(version) >= POSTGRESQL_MIN,
        detail=f"PostgreSQL {int(version) // 10_000}.{int(version) % 10_000}, at least 15 needed",
    )
    yield Finding(
        "durability",
        ok="off" not in durable.values(),
        detail=", ".join(f"{name} {value}" for name, value in durable.items()),
    )
    yield _role()


def _role() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        is_superuser, bypasses, owns = cursor.fetchone()
    faults = []
    if is_superuser:
        faults.append("is a superuser")
    if bypasses and not is_superuser:
        faults.append("bypasses row security")
    if owns:
        faults.append("owns tables, or may act as their owner")
    detail = f"the application's role {' and '.join(faults)}" if faults else "owns nothing"
    return Finding("database role", ok=not faults, detail=detail)


def _migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan)
    detail = f"not applied: {names}" if plan else "all applied"
    yield Finding("migrations", ok=not plan, detail=detail)


def _partitions() -> Iterator[Finding]:
    days = partitions_ahead(timezone.now().astimezone(datetime.UTC).date())
    detail = f"records have a place for {days} days, at least {PARTITIONS_MIN} wanted"
    yield Finding("partitions", ok=days >= PARTITIONS_MIN, detail=detail)


def _credentials() -> Iterator[Finding]:
    active = Credential.objects.filter(state=Credential.State.ACTIVE)
    rows = active.select_related("provider").order_by("provider__name")
    closed = [row.provider.name for row in rows if not _opens(row)]
    held = ServiceCredential.objects.select_related("service").order_by("service__name")
    closed += [row.service.name for row in held if not _opens(row)]
    signing = GuardSecret.objects.select_related("guard").order_by("guard__name")
    closed += [row.guard.name for row in signing if not _opens(row)]
    count = len(rows) + len(held) + len(signing)
    detail = f"no master key opens: {', '.join(closed)}" if closed else f"{count} open"
    yield Finding("credentials", ok=not closed, detail=detail)


def _opens(row: Credential | ServiceCredential | GuardSecret) -> bool:
    try:
        if isinstance(row, Credential):
            credentials.open_sealed(row)
        elif isinstance(row, GuardSecret):
            sealing.open_sealed(row)
        else:
            service_credentials.open_sealed(row)
    except EnvelopeError:
        return False
    return True


def _providers() -> Iterator[Finding]:
    return _providers_of(Provider.objects.order_by("name"))


def _providers_of(providers: Iterable[Provider]) -> Iterator[Finding]:
    for provider in providers:
        result = probe(provider)
        yield Finding(f"provider {provider.name}", ok=result.ok, detail=result.detail)


def _names() -> Iterator[Finding]:
    """Ask the models of names, where somebody wants them."""
    asking = Tenant.objects.exclude(state=Tenant.State.REMOVED).exclude(pii_entities=[])
    names = ", ".join(asking.order_by("name").values_list("name", flat=True))
    config = settings.GATEHOUSE
    if not names and config.ner_file is None:
        return
    try:
        told = hello(config.ner_socket, NER_PATIENCE_S)
    except NoAnswer as error:
        wanted = f"; wanted by {names}: their rules on personal data fail" if names else ""
        detail = f"no models at {config.ner_socket}: {error}{wanted} (named-entities.md)"
        yield Finding("names", ok=False, detail=detail)
        return
    models = ", ".join(told.models)
    yield Finding("names", ok=True, detail=f"{models}; {names or 'no tenant'} asks")


def _guards() -> Iterator[Finding]:
    present = Guard.objects.exclude(tenant__state=Tenant.State.REMOVED).select_related("tenant")
    for guard in present.order_by("tenant__name", "name"):
        result = tried(guard)
        name = f"guard {guard.tenant.name}/{guard.name}"
        yield Finding(name, ok=result.ok, detail=f"{result.detail} ({result.latency_ms} ms)")


def _redis() -> Iterator[Finding]:
    try:
        said = survey(settings.GATEHOUSE.redis_url)
    except SurveyError as error:
        yield Finding("redis", ok=False, detail=str(error))
        return
    version = said.get("redis_version", "0.0")
    yield Finding(
        "redis",
        ok=tuple(int(part) for part in version.split(".")[:2]) >= REDIS_MIN,
        detail=f"version {version}, at least 6.2 needed",
    )
    policy = said.get("maxmemory_policy", "unknown")
    yield Finding("redis memory", ok=policy == "noeviction", detail=f"maxmemory-policy {policy}")
    appends = said.get("aof_enabled") == "1"
    yield Finding("redis durability", ok=appends, detail=f"appendonly {'yes' if appends else 'no'}")
