"""Who sees which events and records."""

import datetime
import secrets
import uuid

import pytest
from django.db import connections

from audit.actor import Actor, command
from audit.models import Event
from audit.selectors import call_records, event_page, events_visible, records_visible

pytestmark = pytest.mark.usefixtures("db")

NOW = datetime.datetime.now(datetime.UTC)
ACME, OTHER = uuid.uuid4(), uuid.uuid4()


def person(role, tenant_id):
    return Actor("user", "u", "someone", memberships={str(tenant_id): frozenset({role})})


@pytest.fixture(scope="module", autouse=True)
def events(db):
    marker = f"test.{secrets.token_hex(4)}"
    for tenant_id in (ACME, OTHER, None):
        for number in range(3):
            Event.objects.create(
                at=NOW,
                tenant_id=tenant_id,
                actor_kind="task",
                actor="t",
                action=marker,
                object_kind="thing",
                object_name=str(number),
            )
    return marker


@pytest.mark.parametrize("role", ["owner", "admin", "auditor"])
def test_who_reads_evidence_sees_the_events_of_their_tenant(role, events):
    seen = events_visible(person(role, ACME)).filter(action=events)
    assert {event.tenant_id for event in seen} == {ACME}
    assert len(seen) == 3


@pytest.mark.parametrize("role", ["analyst", "key_manager", "app_developer", "approver"])
def test_others_see_none(role, events):
    assert not events_visible(person(role, ACME)).exists()


def test_the_operator_and_the_owner_of_the_installation_see_all(events):
    owner = Actor("user", "u", "owner", is_superuser=True)
    for actor in (command("doctor"), owner):
        assert events_visible(actor).filter(action=events).count() == 9


def test_pages_follow_one_another_newest_first(events):
    actor = person("auditor", ACME)
    first = event_page(actor, action=events, size=2)
    second = event_page(actor, action=events, size=2, before_id=first[-1].id)
    assert [event.object_name for event in first + second] == ["2", "1", "0"]


def test_a_calls_records_are_read_in_their_order_and_by_no_stranger():
    call_id = uuid.uuid4()
    row = (
        "INSERT INTO audit_record (day, call_id, attempt, kind, at, tenant_id, key_id, model, code,"
        " cost_micros, body) VALUES (%s, %s, 1, %s, %s, %s, 'k', 'm', '', %s, %s)"
    )
    with connections["default"].cursor() as cursor:
        for kind, second, cost in (("completed", 2, 7), ("admitted", 1, None)):
            at = NOW + datetime.timedelta(seconds=second)
            cursor.execute(row, [NOW.date(), call_id, kind, at, ACME, cost, '{"a": [1]}'])
    found = call_records(person("auditor", ACME), call_id=call_id, day=NOW.date())
    assert [(one.kind, one.cost_micros) for one in found] == [("admitted", None), ("completed", 7)]
    assert found[0].body == {"a": [1]}
    assert call_records(person("auditor", OTHER), call_id=call_id, day=NOW.date()) == []
    assert records_visible(command("doctor")).filter(call_id=call_id).count() == 2
