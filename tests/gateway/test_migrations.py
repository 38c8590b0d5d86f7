"""The schema: complete, the owner's, and open to the application's role only as far as needed."""

import io
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command

from gateway.grants import APPEND_ONLY, NO_UPDATE, READ_ONLY, rights_on

pytestmark = pytest.mark.usefixtures("db")

ROOT = Path(__file__).parents[2]
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest.fixture(scope="module")
def owner():
    with psycopg.connect(settings.GATEHOUSE.database_owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def app():
    with psycopg.connect(settings.GATEHOUSE.database_url, autocommit=True) as connection:
        yield connection


def tables(connection):
    rows = connection.execute(
        "SELECT relname, relispartition FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    return dict(rows.fetchall())


def rights(connection, table):
    checks = ", ".join(f"has_table_privilege('public.\"{table}\"', '{right}')" for right in RIGHTS)
    row = connection.execute(f"VALUES ({checks})").fetchone()
    return {right for right, has in zip(RIGHTS, row, strict=True) if has}


def test_no_change_of_a_model_lacks_its_migration():
    output = io.StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=output)
    assert "No changes detected" in output.getvalue()


def test_the_applications_role_has_exactly_the_rights_that_it_needs(app):
    found = tables(app)
    assert set(APPEND_ONLY | NO_UPDATE | READ_ONLY) <= set(found)
    for table, is_partition in found.items():
        wanted = set() if is_partition else set(rights_on(table))
        assert rights(app, table) == wanted, table


def test_what_is_append_only_by_grant_is_so_by_trigger_too(owner):
    rows = owner.execute(
        "SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgname LIKE 'append_only%' AND NOT c.relispartition GROUP BY 1"
    )
    assert dict(rows.fetchall()) == {
        **dict.fromkeys(APPEND_ONLY, 2),
        **dict.fromkeys(NO_UPDATE, 1),
    }


def test_the_applications_role_owns_nothing_and_is_no_superuser(app):
    row = app.execute(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, EXISTS (SELECT FROM pg_class"
        " WHERE relowner = pg_roles.oid) FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row == (False, False, False, False)


def test_a_function_that_runs_as_the_owner_looks_nowhere_else(owner):
    rows = owner.execute(
        "SELECT proname, proconfig, proacl::text FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    ).fetchall()
    assert [name for name, _, _ in rows] == ["audit_create_partitions"]
    ((_, configuration, access),) = rows
    assert "search_path=pg_catalog, pg_temp" in configuration
    assert not any(entry.startswith("=") for entry in access.strip("{}").split(","))


def test_holds_leave_room_for_their_update(owner):
    (options,) = owner.execute(
        "SELECT reloptions FROM pg_class WHERE oid = 'tenants_hold'::regclass"
    ).fetchone()
    assert "fillfactor=80" in options


def migrate(**environ):
    return subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_migrating_again_takes_back_what_was_granted_beside(owner, app):
    role = app.info.user
    owner.execute(f'GRANT UPDATE ON gateway_price TO "{role}"')
    assert "UPDATE" in rights(app, "gateway_price")
    done = migrate()
    assert (done.returncode, done.stderr) == (0, "")
    assert rights(app, "gateway_price") == {"SELECT", "INSERT"}


def test_owner_and_application_may_be_one_role():
    done = migrate(DATABASE_URL=settings.GATEHOUSE.database_owner_url)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plan_changes_nothing(owner, app):
    role = app.info.user
    owner.execute(f'GRANT UPDATE ON gateway_price TO "{role}"')
    call_command("migrate", "--plan", stdout=io.StringIO())
    assert "UPDATE" in rights(app, "gateway_price")
    call_command("migrate", verbosity=0)
    assert "UPDATE" not in rights(app, "gateway_price")
