"""Filling the demo organisation with calls: judged, made and written side by side."""

import asyncio
import datetime
import queue
import threading
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import psycopg
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, Sum

from audit.services import partitions_create
from gateway.bundle import decode
from gateway.config import Config
from gateway.demo.calls import Caller, Made, Money, make
from gateway.demo.cases import load, prepare, principal
from gateway.demo.evidence import Book
from gateway.demo.organisation import Organisation
from gateway.demo.profiles import PROFILES
from gateway.demo.traffic import hours, intents, share_of
from gateway.models import BundleRevision
from gateway.proxy.evidence.sweeping import Sweep
from tenants.budgets import window_starts
from tenants.models import Budget, LedgerPosting, Tenant, TenantEpoch, VirtualKey
from tenants.usage.rolling import usage_roll

BATCH = 1000
AHEAD = 4
SWEPT = 500
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written."""

    calls: int
    records: int
    days: int
    windows: int


def fill(
    organisation: Organisation,
    calls: int,
    since: datetime.datetime,
    now: datetime.datetime,
    seed: str,
) -> Filled:
    """Write so many calls from `since` to `now`, and roll them up.

    Raises ValidationError where somebody calls as one of the tenants meanwhile.
    """
    shares = _shares(organisation, calls)
    partitions_create(first=since.date(), last=(now + DAY).date())
    writer, records = _Writer(settings.GATEHOUSE.database_url), 0
    try:
        for tenant in organisation.tenants:
            for made in _of_tenant(organisation, tenant, shares[tenant.name], (since, now), seed):
                records += len(made.first) + len(made.last)
                writer.put(made)
    finally:
        writer.close()
    for tenant in organisation.tenants:
        # Whoever calls next counts anew, from what was just booked.
        TenantEpoch.objects.filter(tenant=tenant).update(epoch=F("epoch") + 1)
    asyncio.run(_sweep(settings.GATEHOUSE.database_url))
    return Filled(calls, records, (now - since).days, usage_roll())


def _shares(organisation: Organisation, calls: int) -> dict[str, int]:
    """Return how many calls each tenant makes; together they are `calls`."""
    share = share_of(PROFILES)
    counts = {tenant.name: int(calls * share[tenant.name]) for tenant in organisation.tenants}
    counts[organisation.tenants[0].name] += calls - sum(counts.values())
    return counts


def _of_tenant(
    organisation: Organisation,
    tenant: Tenant,
    calls: int,
    span: tuple[datetime.datetime, datetime.datetime],
    seed: str,
) -> Iterator[Made]:
    profiles = [profile for profile in PROFILES if profile.tenant == tenant.name]
    callers, money = _callers(organisation, tenant, span[0]), _money(tenant, span)
    chance = Random(f"{seed} {tenant.name} {len(money.used)}")  # noqa: S311  (nothing is kept secret by it)
    windows = hours(*span, zoneinfo.ZoneInfo(tenant.timezone), calls, chance)
    made, used_ms = Made(), dict[int, int]()
    for number, intent in enumerate(intents(profiles, windows, chance), 1):
        used_ms[intent.profile] = intent.at_ms
        make(intent, callers[intent.profile], money, made)
        if number % BATCH == 0:
            yield made
            made = Made()
    yield made
    _note_use([key for key in organisation.keys if key.tenant_id == tenant.pk], used_ms)


def _note_use(keys: Sequence[VirtualKey], used_ms: Mapping[int, int]) -> None:
    """Say of each key when it was used last, by its place; a real call since then stands."""
    for place, at_ms in used_ms.items():
        at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
        key = VirtualKey.objects.filter(pk=keys[place].pk).exclude(last_used_at__gt=at)
        key.update(last_used_at=at)


def _callers(organisation: Organisation, tenant: Tenant, at: datetime.datetime) -> list[Caller]:
    """Return the tenant's keys in the order of its profiles, each with its prompts judged."""
    config: Config = settings.GATEHOUSE
    stored = BundleRevision.objects.filter(tenant_id=tenant.pk).latest("revision")
    loaded, callers = load(decode(bytes(stored.body), stored.checksum), config), []
    for profile, key in zip(PROFILES, organisation.keys, strict=True):
        if profile.tenant == tenant.name:
            caller = principal(key, loaded)
            prompts = asyncio.run(prepare(caller, profile, config.max_messages, at))
            callers.append(Caller(profile, caller, prompts))
    return callers


def _money(tenant: Tenant, span: tuple[datetime.datetime, datetime.datetime]) -> Money:
    """Return what the tenant's budgets have used so far, under an epoch that nobody counts in."""
    TenantEpoch.objects.filter(tenant=tenant).update(epoch=F("epoch") + 1)
    epoch, zone = TenantEpoch.objects.get(tenant=tenant).epoch, zoneinfo.ZoneInfo(tenant.timezone)
    starts = {window: window_starts(window, zone, *span) for window in Budget.Window.values}
    posted = (
        LedgerPosting.objects.filter(tenant_id=tenant.pk)
        .values_list("budget_id", "window_start", "group")
        .annotate(Sum("delta_micros"))
    )
    used = {
        (str(budget), int(start.timestamp()), group): int(micros)
        for budget, start, group, micros in posted
    }
    return Money(epoch, starts, used)


async def _sweep(database_url: str) -> None:
    """Post the attempts whose worker is taken to have died, as the sweeper does."""
    sweep = await Sweep.connect(database_url)
    try:
        while await sweep.post_lost(SWEPT):
            pass
    finally:
        await sweep.close()


class _Writer:
    """A thread that writes what was made while the next calls are made."""

    def __init__(self, database_url: str) -> None:
        self._made: queue.Queue[Made | None] = queue.Queue(AHEAD)
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(database_url,), name="demo writer")
        self._thread.start()

    def put(self, made: Made) -> None:
        """Have rows written, soon; raise what went wrong with earlier ones."""
        self._made.put(made)
        self._check()

    def close(self) -> None:
        """Return once everything is written."""
        self._made.put(None)
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._fault is not None:
            raise ValidationError(f"the calls could not be written: {self._fault}")

    def _run(self, database_url: str) -> None:
        with Book(database_url) as book:
            while (made := self._made.get()) is not None:
                if self._fault is None:
                    self._write(book, made)

    def _write(self, book: Book, made: Made) -> None:
        try:
            book.write(made.first)
            book.write(made.last)
        except (ValueError, psycopg.Error) as error:
            self._fault = error
