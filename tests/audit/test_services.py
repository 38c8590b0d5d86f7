"""Events: written with their change, holding no secret; and what the database never lets change."""

import datetime
import secrets
import uuid

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from audit.actor import Actor, command
from audit.models import Event
from audit.selectors import partitions_ahead
from audit.services import REASON_MAX, Change, alter, delete, insert, note, partitions_create
from audit.snapshot import snapshot
from gateway.models import BundleRevision, Price
from policies.models import Policy, PolicyVersion
from tenants.models import LedgerEntry, LedgerPosting, Tenant, User

pytestmark = pytest.mark.usefixtures("db")

ANN = Actor("user", "1", "ann@example.com", source="192.0.2.7")
TODAY = datetime.datetime.now(datetime.UTC).date()


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


def change(action="tenant.create", **others):
    return Change(ANN, action, **others)


def stored():
    tenant = Tenant(name=unique("tenant"))
    with transaction.atomic():
        insert(change(tenant_id=tenant.id, tenant=tenant.name, reason="new customer"), tenant)
    return tenant


def newest():
    return Event.objects.order_by("-id").first()


def test_an_insert_tells_who_did_what_to_what_and_why():
    tenant = stored()
    event = newest()
    assert (event.actor_kind, event.actor, event.source) == (
        "user",
        "ann@example.com",
        "192.0.2.7",
    )
    assert (event.action, event.object_kind) == ("tenant.create", "tenant")
    assert (event.object_id, event.object_name) == (str(tenant.id), tenant.name)
    assert (event.tenant_id, event.tenant, event.reason) == (tenant.id, tenant.name, "new customer")
    assert event.before is None
    assert event.after["timezone"] == "UTC"
    assert abs(event.at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)


def test_a_change_tells_only_what_differs():
    tenant = stored()
    with transaction.atomic():
        assert alter(change("tenant.update"), tenant, {"timezone": "Asia/Tokyo", "tags": []})
    assert (newest().before, newest().after) == ({"timezone": "UTC"}, {"timezone": "Asia/Tokyo"})
    assert Tenant.objects.get(pk=tenant.pk).timezone == tenant.timezone == "Asia/Tokyo"


def test_a_change_of_nothing_writes_nothing():
    tenant, last = stored(), newest()
    with transaction.atomic():
        assert not alter(change("tenant.update"), tenant, {"timezone": "UTC", "tags": ()})
    assert newest().id == last.id


def test_a_refused_change_leaves_row_and_events_alone():
    tenant, last = stored(), newest()
    with pytest.raises(ValidationError), transaction.atomic():
        alter(change("tenant.update"), tenant, {"state": "asleep"})
    assert newest().id == last.id
    assert Tenant.objects.get(pk=tenant.pk).state == "active"


def test_a_change_says_what_else_it_brought_about():
    tenant = stored()
    with transaction.atomic():
        alter(change("tenant.remove"), tenant, {"state": "removed"}, besides={"keys": ["a"]})
    assert newest().after == {"state": "removed", "keys": ["a"]}


def test_a_deletion_keeps_what_was_there():
    tenant = stored()
    name, identity = tenant.name, tenant.pk
    with transaction.atomic():
        delete(change("tenant.remove"), tenant)
    assert newest().before["name"] == name
    assert (newest().after, newest().object_id) == (None, str(identity))


def test_no_event_without_a_transaction():
    tenant, last = stored(), newest()
    with pytest.raises(RuntimeError, match="in the transaction of its change"):
        note(change(), tenant, before=None, after={})
    assert newest().id == last.id


def test_a_reason_has_an_end():
    tenant = stored()
    with pytest.raises(ValidationError, match="at most 1000"), transaction.atomic():
        alter(change(reason="x" * (REASON_MAX + 1)), tenant, {"timezone": "Asia/Tokyo"})


def test_a_snapshot_shows_no_password():
    user = User(email="ann@example.com")
    user.set_password("correct horse battery staple")
    assert "password" not in snapshot(user)
    assert snapshot(user)["email"] == "ann@example.com"


def test_an_operator_is_not_a_person():
    assert command("apply").is_operator
    assert not ANN.is_operator
    assert ANN.roles_in("somewhere") == frozenset()


# What is append-only, with a row in it. Each is tried as the application's role and as the owner.
APPEND_ONLY = (
    "audit_event",
    "audit_record",
    f"audit_record_{TODAY:%Y%m%d}",
    "gateway_price",
    "policies_policyversion",
    "tenants_ledgerentry",
    "tenants_ledgerposting",
)


@pytest.fixture(scope="module")
def filled():
    """Put a row into each append-only table, as the application's role."""
    now, some = datetime.datetime.now(datetime.UTC), uuid.uuid4()
    call = {"tenant_id": some, "call_id": some, "attempt": 1}
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO audit_record (day, call_id, attempt, kind, at, tenant_id, key_id, model,"
            " code, body) VALUES (%s, %s, 1, 'admitted', now(), %s, 'k', 'm', '', '{}')",
            [TODAY, some, some],
        )
    Event.objects.create(at=now, actor_kind="task", actor="t", action="a", object_kind="o")
    LedgerEntry.objects.create(**call, kind="settle", delta_pico=5, currency="USD", at=now)
    LedgerPosting.objects.create(**call, budget_id=some, window_start=now, delta_micros=1)
    Price.objects.create(
        route_id=some, currency="USD", input_pico=1, output_pico=1, effective_from=now, source="t"
    )
    policy = Policy.objects.create(name=unique("policy"))
    PolicyVersion.objects.create(policy=policy, number=1, source="", canonical="", author="")


def attempt(alias, statement):
    url = settings.GATEHOUSE.database_url
    if alias == "owner":
        url = settings.GATEHOUSE.database_owner_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {} CASCADE"],
)
def test_what_is_append_only_cannot_be_changed(alias, table, statement):
    column = {"gateway_price": "source", "policies_policyversion": "source"}.get(table, "tenant_id")
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as refusal:
        attempt(alias, statement.format(table).replace("tenant_id", column))
    said = "is append-only" if alias == "owner" else "permission denied"
    assert said in str(refusal.value)


@pytest.mark.parametrize("alias", ["default", "owner"])
def test_a_bundle_is_never_changed(alias):
    BundleRevision.objects.create(tenant_id=uuid.uuid4(), revision=1, body=b"", checksum="")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        attempt(alias, "UPDATE gateway_bundlerevision SET checksum = 'x'")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (x int)",
        "DROP TABLE audit_record",
        "ALTER TABLE audit_event DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON audit_event",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('a', 'b', now())",
        "SELECT audit_make_append_only('tenants_tenant')",
        f"DROP TABLE audit_record_{TODAY:%Y%m%d}",
        f"TABLE audit_record_{TODAY:%Y%m%d}",
    ],
)
def test_the_applications_role_cannot_undo_what_binds_it(statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        attempt("default", statement)


def test_partitions_are_made_ahead_once():
    far = TODAY + datetime.timedelta(days=60)
    assert partitions_create(first=far, last=far + datetime.timedelta(days=2)) == 3
    assert partitions_create(first=far, last=far + datetime.timedelta(days=3)) == 1
    assert partitions_ahead(far) == 4
    assert partitions_ahead(TODAY) >= 31


def test_a_new_partition_is_append_only_too():
    day = TODAY + datetime.timedelta(days=80)
    partitions_create(first=day, last=day)
    for statement in ("TRUNCATE", "DELETE FROM"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            attempt("default", f"{statement} audit_record_{day:%Y%m%d}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        attempt("owner", f"TRUNCATE audit_record_{day:%Y%m%d}")


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 402)])
def test_nobody_makes_partitions_without_end(first, last):
    first_day, last_day = (TODAY + datetime.timedelta(days=days) for days in (first, last))
    with pytest.raises(psycopg.errors.RaiseException):
        attempt("default", f"SELECT audit_create_partitions('{first_day}', '{last_day}')")
