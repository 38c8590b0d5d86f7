"""Bring the database to this version: as the tables' owner, alone, and with short locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from gateway.grants import grant

LOCK_TIMEOUT = "5s"


class Command(migrate.Command):
    """Django's own `migrate` as the owner, then the rights of the application's role."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = connections[options["database"]]
        with _alone(owner):
            super().handle(*args, **options)
            if not (options["plan"] or options["check_unapplied"]):
                _grant(owner)


@contextmanager
def _alone(owner: BaseDatabaseWrapper) -> Iterator[None]:
    """Let one migration run at a time; after that wait, no statement waits long for a lock."""
    with owner.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('gatehouse: migrate', 0))")
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        yield
    finally:
        with owner.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('gatehouse: migrate', 0))")


def _grant(owner: BaseDatabaseWrapper) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        (role,) = cursor.fetchone()
    with owner.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner_role,) = cursor.fetchone()
    if role != owner_role:
        with transaction.atomic(using=owner.alias):
            grant(owner, role)
