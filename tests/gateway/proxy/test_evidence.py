"""Group commit against a real PostgreSQL: what is admitted is durable, fenced, and booked once."""

import asyncio
import datetime
import os
import uuid
from decimal import Decimal

import psycopg
import pytest
from django.db import DatabaseError, connection

from audit.models import Record as RecordRow
from gateway.proxy.errors import Unavailable
from gateway.proxy.evidence.sweeping import Sweep
from gateway.proxy.evidence.writer import Claim, EpochChanged, Evidence
from tenants.models import Hold, LedgerEntry, LedgerPosting, TenantEpoch

BUDGET = str(uuid.uuid4())


@pytest.fixture(scope="module")
def evidence(loop):
    async def make():
        return Evidence(os.environ["DATABASE_URL"])

    evidence = loop.run(make())
    loop.spawn(evidence.run())
    return evidence


@pytest.fixture
def sweep(loop):
    sweep = loop.run(Sweep.connect(os.environ["DATABASE_URL"]))
    yield sweep
    loop.run(sweep.close())


def claim(epoch=1, seq=1, micros=400, lease_s=60.0):
    amounts = [[BUDGET, 0, 2**40, "", micros]]
    return Claim(epoch, seq, amounts, micros * 1_000_000, "USD", lease_s)


def complete(loop, evidence, record, cost_pico):
    loop.run(written(evidence, record, cost_pico))


async def written(evidence, record, cost_pico):
    durable = asyncio.Event()
    evidence.write(record, cost_pico, durable.set)
    await durable.wait()


def ledger(tenant):
    entries = LedgerEntry.objects.filter(tenant_id=tenant.id)
    postings = LedgerPosting.objects.filter(tenant_id=tenant.id)
    return sum(e.delta_pico for e in entries), sum(p.delta_micros for p in postings)


def test_an_admission_is_durable_when_admit_returns(loop, evidence, tenant_row, new_record):
    record = new_record(tenant_row, facts={"call.messages": 2})
    loop.run(evidence.admit(record, claim()))
    row = RecordRow.objects.get(call_id=record.call_id)
    assert (row.kind, row.day, row.body) == (
        "admitted",
        record.at.date(),
        {"facts": {"call.messages": 2}},
    )
    hold = Hold.objects.get(call_id=record.call_id)
    assert (hold.state, hold.epoch, hold.seq) == ("open", 1, 1)
    assert hold.amounts == [[BUDGET, 0, 2**40, "", 400]]


def test_many_callers_share_a_commit(loop, evidence, tenant_row, new_record):
    async def admit_all():
        await asyncio.gather(
            *(evidence.admit(new_record(tenant_row), claim(seq=n)) for n in range(1, 101))
        )

    loop.run(admit_all())
    assert Hold.objects.filter(tenant_id=tenant_row.id).count() == 100


def test_case_1_a_claim_of_another_epoch_is_refused(loop, evidence, tenant_row, new_record):
    TenantEpoch.objects.filter(tenant=tenant_row).update(epoch=2)
    record = new_record(tenant_row)
    with pytest.raises(EpochChanged):
        loop.run(evidence.admit(record, claim(epoch=1)))
    assert not RecordRow.objects.filter(call_id=record.call_id).exists()
    assert not Hold.objects.filter(call_id=record.call_id).exists()


def test_case_1_a_rebuild_waits_for_the_batch_and_the_next_one_is_refused(
    loop, evidence, tenant_row, new_record
):
    """Bump the epoch in an open transaction: the admission waits for it and is then refused."""

    async def race():
        other = await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"])
        async with other:
            await other.execute(
                "UPDATE tenants_tenantepoch SET epoch = epoch + 1 WHERE tenant_id = %s",
                (tenant_row.id,),
            )
            admission = asyncio.ensure_future(evidence.admit(new_record(tenant_row), claim()))
            done, _ = await asyncio.wait({admission}, timeout=0.2)
            assert not done  # the shared lock is not to be had while the epoch moves
            await other.commit()
            with pytest.raises(EpochChanged):
                await admission

    loop.run(race())


def test_case_4_a_number_that_is_claimed_already_is_refused(loop, evidence, tenant_row, new_record):
    loop.run(evidence.admit(new_record(tenant_row), claim(seq=7)))
    with pytest.raises(EpochChanged):
        loop.run(evidence.admit(new_record(tenant_row), claim(seq=7)))
    assert Hold.objects.filter(tenant_id=tenant_row.id).count() == 1


def test_case_4_the_same_claim_again_is_success(loop, evidence, tenant_row, new_record):
    """A commit whose outcome was not learned is written again."""
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim()))
    loop.run(evidence.admit(record, claim()))
    assert Hold.objects.filter(call_id=record.call_id).count() == 1
    assert RecordRow.objects.filter(call_id=record.call_id).count() == 1


def test_case_4_one_bad_row_does_not_take_the_batch_with_it(loop, evidence, tenant_row, new_record):
    bad = new_record(tenant_row, text="nul \0 inside")
    good = new_record(tenant_row)

    async def both():
        return await asyncio.gather(
            evidence.admit(bad, claim(seq=1)),
            evidence.admit(good, claim(seq=2)),
            return_exceptions=True,
        )

    first, second = loop.run(both())
    # PostgreSQL's json takes the escape; what matters is that nothing else suffers from a bad row
    assert second is None
    assert first is None or isinstance(first, Unavailable)
    assert Hold.objects.filter(call_id=good.call_id).exists()


def test_a_completion_books_what_it_cost(loop, evidence, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim(micros=400)))
    done = new_record(tenant_row, "completed", record.call_id)
    complete(loop, evidence, done, 120_500_001)
    assert ledger(tenant_row) == (Decimal(120_500_001), 121)
    hold = Hold.objects.get(call_id=record.call_id)
    assert (hold.state, hold.posted_pico) == ("settled", Decimal(120_500_001))


def test_case_2_a_completion_twice_books_once(loop, evidence, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim()))
    done = new_record(tenant_row, "completed", record.call_id)
    complete(loop, evidence, done, 120_000_000)
    complete(loop, evidence, done, 120_000_000)
    assert ledger(tenant_row) == (Decimal(120_000_000), 120)


def test_case_2_lost_is_provisional(loop, evidence, sweep, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim(micros=400, lease_s=-1)))
    assert loop.run(sweep.post_lost(1000)) >= 1
    assert ledger(tenant_row) == (Decimal(400_000_000), 400)
    lost = RecordRow.objects.get(call_id=record.call_id, kind="lost")
    assert (lost.cost_micros, lost.code) == (400, "lost")
    complete(loop, evidence, new_record(tenant_row, "completed", record.call_id), 100_000_000)
    assert ledger(tenant_row) == (Decimal(100_000_000), 100)


def test_a_running_attempt_is_not_swept(loop, evidence, sweep, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim(lease_s=60)))
    loop.run(sweep.post_lost(1000))
    assert Hold.objects.get(call_id=record.call_id).state == "open"


def test_case_7_a_voided_number_can_never_be_admitted(
    loop, evidence, sweep, tenant_row, new_record
):
    record = new_record(tenant_row)
    name = f"{record.call_id}-1"
    assert loop.run(sweep.void(str(tenant_row.id), name, 1, 5)) == ("void", 0)
    with pytest.raises(EpochChanged):
        loop.run(evidence.admit(record, claim(seq=5)))


def test_case_7_an_admitted_number_cannot_be_voided(loop, evidence, sweep, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim(seq=5)))
    name = f"{record.call_id}-1"
    assert loop.run(sweep.void(str(tenant_row.id), name, 1, 5)) == ("open", 0)
    complete(loop, evidence, new_record(tenant_row, "completed", record.call_id), 33_000_000)
    assert loop.run(sweep.void(str(tenant_row.id), name, 1, 5)) == ("settled", 33)


def test_records_cannot_be_changed_or_removed(loop, evidence, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim()))
    for statement in (
        "UPDATE audit_record SET model = 'x' WHERE call_id = %s",
        "DELETE FROM audit_record WHERE call_id = %s",
    ):
        refused = pytest.raises(DatabaseError, match=r"append-only|permission denied")
        with refused, connection.cursor() as cursor:
            cursor.execute(statement, (record.call_id,))


def is_open(evidence):
    try:
        evidence.check()
    except Unavailable:
        return False
    return True


def test_while_postgresql_is_away_nothing_new_is_admitted_and_completions_wait(
    loop, tenant_row, new_record
):
    async def away():
        evidence = Evidence("postgresql://nobody@127.0.0.1:1/none")
        task = asyncio.get_running_loop().create_task(evidence.run())
        durable = asyncio.Event()
        evidence.write(new_record(tenant_row, "completed"), 1, durable.set)
        async with asyncio.timeout(5):
            while is_open(evidence):
                await asyncio.sleep(0.01)
        with pytest.raises(Unavailable, match="evidence_unavailable"):
            evidence.check()
        assert not durable.is_set()
        task.cancel()
        await asyncio.wait([task])

    loop.run(away())


def test_the_day_of_a_record_is_the_day_of_its_call(loop, evidence, tenant_row, new_record):
    record = new_record(tenant_row)
    loop.run(evidence.admit(record, claim()))
    late = new_record(tenant_row, "completed", record.call_id)
    complete(loop, evidence, late, 0)
    days = RecordRow.objects.filter(call_id=record.call_id).values_list("day", flat=True)
    assert set(days) == {
        datetime.datetime.fromtimestamp((record.call_id.int >> 80) / 1000, datetime.UTC).date()
    }


def test_case_7_a_claim_and_its_completion_never_share_a_statement(
    loop, evidence, tenant_row, new_record
):
    """Both waited while PostgreSQL was slow: the hold is closed all the same, at no cost."""
    record = new_record(tenant_row)

    async def both_at_once():
        admission = asyncio.ensure_future(evidence.admit(record, claim()))
        await asyncio.sleep(0)
        return await asyncio.gather(
            admission,
            written(evidence, new_record(tenant_row, "completed", record.call_id), 0),
        )

    loop.run(both_at_once())
    assert Hold.objects.get(call_id=record.call_id).state == "settled"
    assert ledger(tenant_row) == (0, 0)


def test_a_server_that_cannot_take_the_rows_keeps_them_waiting(loop, tenant_row, new_record):
    """A server without our tables, as after a failover gone wrong: no row is to blame for that."""

    async def scenario():
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        stranger = Evidence(f"{server}/postgres")
        task = asyncio.get_running_loop().create_task(stranger.run())
        durable = asyncio.Event()
        stranger.write(new_record(tenant_row, "completed"), 0, durable.set)
        async with asyncio.timeout(5):
            while is_open(stranger):
                await asyncio.sleep(0.01)
        assert not durable.is_set()
        task.cancel()
        await asyncio.wait([task])

    loop.run(scenario())
