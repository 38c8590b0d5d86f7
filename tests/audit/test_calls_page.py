"""The list of calls: complete, in order, bounded, and nobody else's."""

import datetime
import re
import uuid
from dataclasses import replace

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from audit import marked as marked_by
from audit import selectors
from audit.selectors import CallsWanted, TooBroadError, calls_page
from audit.services import partitions_create
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def world(unique):
    return World(unique)


def ids(world, wanted=None, size=50, tenants=None):
    page = calls_page(tenants or [world.tenant.id], wanted or CallsWanted(), size)
    return [records[0].call_id for records in page]


def walk(world, size, wanted=None):
    """Return all calls, page by page."""
    wanted, found = wanted or CallsWanted(), []
    while True:
        page = calls_page([world.tenant.id], wanted, size)
        found += [records[0].call_id for records in page]
        if len(page) < size:
            return found
        first = page[-1][0]
        wanted = replace(wanted, before=(first.at, first.call_id))


def test_calls_come_newest_first(world):
    now = timezone.now()
    made = [world.call(now - n * SECOND).refused("policy_denied").id for n in range(5)]
    assert ids(world) == made
    assert ids(world, size=2) == made[:2]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pages_show_every_call_once(world, size):
    now = timezone.now()
    made = []
    for n in range(7):
        call = world.call(now - n * SECOND).admitted(1)
        if n % 2:  # its second attempt is younger than the next call
            call.completed(1, "upstream_error").admitted(2).completed(2)
        made.append(call.id)
    assert walk(world, size) == made


def test_calls_of_one_instant_are_not_lost_between_pages(world):
    now = timezone.now()
    made = {world.call(now).refused("policy_denied").id for _ in range(6)}
    found = walk(world, 2)
    assert len(found) == 6
    assert set(found) == made


def test_a_call_brings_all_its_records_in_order(world):
    call = world.call().admitted(1).completed(1, "upstream_error").admitted(2)
    ((first, second, third),) = calls_page([world.tenant.id], CallsWanted())
    assert [(row.attempt, row.kind) for row in (first, second, third)] == [
        (1, "admitted"),
        (1, "completed"),
        (2, "admitted"),
    ]
    assert first.call_id == call.id


def test_a_call_that_was_refused_while_its_admission_hung_is_one_call(world):
    call = world.call().admitted(1).refused("evidence_unavailable", attempt=1, status=503)
    call.completed(1, "not_sent", 0, None)
    assert ids(world) == [call.id]
    assert ids(world, CallsWanted(outcome="failed")) == [call.id]


def test_the_tenants_given_bound_what_is_seen(unique, world):
    other = World(unique)
    mine, foreign = world.call().admitted(), other.call().admitted()
    assert ids(world) == [mine.id]
    assert ids(world, tenants=[world.tenant.id, other.tenant.id]) == [foreign.id, mine.id]
    assert calls_page([], CallsWanted()) == []
    assert calls_page([uuid.uuid4()], CallsWanted()) == []


def test_filters_keep_what_they_say(world):
    now = timezone.now()
    other_app = world.new_app("batch")
    plain = world.call(now).admitted().completed()
    other = world.call(now - SECOND, app=other_app).admitted().completed()
    model = world.call(now - 2 * SECOND, model="gpt-4o").admitted().completed()
    assert ids(world, CallsWanted(app_ids=[other_app.id])) == [other.id]
    assert ids(world, CallsWanted(app_ids=[])) == []
    assert ids(world, CallsWanted(model="gpt-4o")) == [model.id]
    since = CallsWanted(since=now - 1.5 * SECOND)
    assert ids(world, since) == [plain.id, other.id]
    until = CallsWanted(until=now - 0.5 * SECOND)
    assert ids(world, until) == [other.id, model.id]
    assert ids(world, replace(since, until=until.until)) == [other.id]


def test_each_outcome_can_be_asked_for(world):
    now = timezone.now()
    made = {
        "permitted": world.call(now).admitted().completed(),
        "denied": world.call(now - SECOND).refused("policy_denied"),
        "failed": world.call(now - 2 * SECOND).admitted().completed(1, "upstream_error"),
        "lost": world.call(now - 3 * SECOND).admitted().lost(),
        "in_flight": world.call(now - 4 * SECOND).admitted(),
    }
    recovered = world.call(now - 5 * SECOND).admitted().lost().completed()
    retried = world.call(now - 6 * SECOND).admitted(1).completed(1, "upstream_error").admitted(2)
    for outcome, call in made.items():
        also = {"permitted": [recovered.id], "in_flight": [retried.id]}.get(outcome, [])
        assert ids(world, CallsWanted(outcome=outcome)) == [call.id, *also]


def test_few_calls_that_ended_so_are_looked_up_and_many_are_met(world, monkeypatch):
    now = timezone.now()
    made = [world.call(now - n * SECOND).admitted().lost() for n in range(4)]
    world.call(now).admitted().completed(1, "upstream_error")
    lost = CallsWanted(outcome="lost")
    wanted = [
        lost, replace(lost, since=now - 1.5 * SECOND), replace(lost, until=now - SECOND),
        replace(lost, model="none"), replace(lost, app_ids=[]),
    ]  # fmt: skip
    looked_up = [ids(world, one) for one in wanted]
    monkeypatch.setattr(selectors, "COUNT_TOLD", f"SELECT {selectors.KNOWN_MOST + 1}")
    assert [ids(world, one) for one in wanted] == looked_up
    assert [len(found) for found in looked_up] == [4, 2, 2, 0, 0]
    assert looked_up[0] == [call.id for call in made]


def test_a_page_of_the_last_days_is_the_page_of_all(world):
    now, day = timezone.now(), datetime.timedelta(days=1)
    partitions_create(first=(now - 10 * day).date(), last=now.date())
    of_app = world.new_app("batch")
    made = [
        world.call(now - age, app=of_app).admitted().completed()
        for age in (SECOND, 2 * SECOND, day, 2 * day, 6 * day, 9 * day)
    ]
    wanted = CallsWanted(app_ids=[of_app.id])
    for size in range(1, 8):
        assert ids(world, wanted, size=size) == [call.id for call in made[:size]]
    last_week = replace(wanted, until=now - 3 * day, since=now - 8 * day)
    assert ids(world, last_week) == [made[4].id]


def test_calls_are_looked_for_only_among_those_that_are_known(world):
    now = timezone.now()
    one, other = (world.call(now - n * SECOND).admitted() for n in range(2))
    in_flight = CallsWanted(outcome="in_flight")
    assert ids(world, in_flight) == [one.id, other.id]
    assert ids(world, replace(in_flight, among=[other.id])) == [other.id]
    assert ids(world, replace(in_flight, among=[])) == []
    assert ids(world, replace(in_flight, among=[one.id], until=now - SECOND)) == []


def planned(world, **values):
    """Return the plan of a page, and the days whose calls it reads through."""
    empty = dict.fromkeys(("since", "until", "first_day", "last_day", "before", "id", "apps"))
    empty |= {"model": "", "outcome": "", "outages": [], "withheld": [], "last_word": []}
    given = empty | {"tenants": [world.tenant.id], "size": 51} | values
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(selectors.ALONG_THE_INDEX)
        walked = selectors.CALLS.replace("{source}", selectors.WALKED)
        cursor.execute(f"EXPLAIN {walked}", given)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    return plan, re.findall(r"on audit_record_(\d{8}) record(?:_\d+)?\b", plan)


@pytest.mark.parametrize("outcome", ["", "permitted", "lost"])
def test_the_calls_of_a_tenant_are_read_along_their_index(world, outcome):
    for n in range(30):
        world.call(timezone.now() - n * SECOND).admitted().completed()
    plan, _ = planned(world, outcome=outcome)
    assert "tenant_id_at" in plan
    assert "Seq Scan" not in plan
    # What was not asked for costs nothing: its conditions are gone before the plan is made.
    assert "IS NULL" not in plan


def test_days_that_cannot_hold_a_call_are_not_looked_at(world):
    now = timezone.now()
    yesterday = (now - datetime.timedelta(days=1)).date()
    _, everywhere = planned(world)
    _, within = planned(world, first_day=yesterday, last_day=now.date())
    assert len(everywhere) > 10
    assert len(within) == 2
    call = world.call(now).admitted()
    assert ids(world, CallsWanted(since=now - SECOND, until=now + SECOND)) == [call.id]


def test_a_search_that_takes_too_long_is_given_up(world, monkeypatch):
    monkeypatch.setattr(selectors, "PATIENCE_MS", 50)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as owner:
        owner.execute("LOCK TABLE audit_record IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TooBroadError):
            ids(world)
    assert ids(world) == []
    connections["owner"].close()


def house(world):
    return world.layered[1].name


@pytest.fixture
def marked(world):
    """Calls by what is to be found of them, newest first."""
    now = timezone.now()
    at = iter(now - n * SECOND for n in range(20))
    found = {
        "cards": world.call(next(at)).with_cards().refused().id,
        "plain": world.call(next(at)).admitted().completed().id,
        "mail": world.call(next(at)).with_cards().admitted(redacted=True).completed().id,
        "tools": world.call(next(at)).admitted().answer_denied().id,
        "rpm": world.call(next(at)).refused("rate_limit_exceeded", "Full.", rule="rpm").id,
        "key": world.call(next(at)).refused("model_not_allowed", "No.").id,
        "again": world.call(next(at)).with_cards().admitted(redacted=True).id,
    }
    retried = world.call(next(at)).with_cards().admitted(1, redacted=True)
    retried.completed(1, "upstream_error").admitted(2, redacted=True).completed(2)
    return found | {"retried": retried.id}


def test_calls_are_found_by_the_rule_or_limit_that_refused_them(world, marked):
    name = house(world)
    for rule, expected in (
        (f"{name} / no-cards", ["cards"]),
        (f"{name} / no-tools-back", ["tools"]),
        ("rpm", ["rpm"]),
        ("model_not_allowed", ["key"]),
        ("upstream_error", []),  # an attempt that failed refused nothing
        ("no such rule", []),
    ):
        assert ids(world, CallsWanted(rule=rule)) == [marked[each] for each in expected]


def test_calls_are_found_by_a_kind_that_was_redacted(world, marked):
    mail = CallsWanted(redaction="EMAIL_ADDRESS")
    assert ids(world, mail) == [marked["mail"], marked["again"], marked["retried"]]
    assert ids(world, CallsWanted(redaction="IBAN_CODE")) == []
    assert walk(world, 2, mail) == ids(world, mail)
    both = CallsWanted(redaction="EMAIL_ADDRESS", rule=f"{house(world)} / no-cards")
    assert ids(world, both) == []


def test_marks_go_with_every_other_filter(world, marked, unique):
    now, mail = timezone.now(), CallsWanted(redaction="EMAIL_ADDRESS")
    assert ids(world, replace(mail, outcome="in_flight")) == [marked["again"]]
    assert ids(world, replace(mail, model="gpt-4o")) == []
    assert ids(world, replace(mail, app_ids=[world.app.id], since=now - 4.5 * SECOND)) == [
        marked["mail"]
    ]
    until = replace(mail, until=now - 4.5 * SECOND)
    assert ids(world, until) == [marked["again"], marked["retried"]]
    other = World(unique)
    theirs = other.call(now).with_cards().admitted(redacted=True).id
    assert marked["mail"] in ids(world, mail)
    assert theirs not in ids(world, mail)
    assert theirs in ids(world, mail, tenants=[world.tenant.id, other.tenant.id])


def test_an_odd_body_keeps_no_record_out():
    odd = [
        "{}",
        "[]",
        '"x"',
        '{"redacted": true, "facts": {"findings": {"a": 1}}}',
        '{"redacted": true, "facts": {"findings": ["x", [], [1]]}}',
        '{"decision": {"determining": [["tenant"]]}}',
    ]
    with connection.cursor() as cursor:
        for body in odd:
            cursor.execute(
                "SELECT audit_cause('policy_denied', %s::json), audit_cause('x', %s::json),"
                " audit_redactions(%s::json)",
                [body, body, body],
            )
            cause, other, _kinds = cursor.fetchone()
            assert (cause, other) == ("policy_denied", "x")


@pytest.mark.parametrize(
    ("marks", "index"),
    [
        ([marked_by.BY_RULE], "audit_cause"),
        ([marked_by.AMONG_FEW], "_pkey"),
        ([marked_by.BY_REDACTION], "audit_record.*call_id.*idx"),
    ],
)
def test_a_search_by_marks_reads_an_index(world, marks, index):
    values = selectors._values([world.tenant.id], CallsWanted(rule="x", redaction="x"), 50)
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SET LOCAL enable_seqscan = off")
        values |= {"days": [timezone.now().date()], "ids": [uuid.uuid4()]}
        cursor.execute(f"EXPLAIN {marked_by.statement(marks)}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(index, plan)
    assert "Seq Scan on audit_record" not in plan


def test_a_kind_of_many_calls_is_read_along_the_redacted_ones(world, marked, monkeypatch):
    mail = CallsWanted(redaction="EMAIL_ADDRESS")
    few = ids(world, mail)
    monkeypatch.setattr(marked_by, "FEW", 1)
    assert ids(world, mail) == few
    assert walk(world, 1, mail) == few
