"""`manage.py revoke-key ID`: no worker accepts the key a second later."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.actor import command
from gateway.management.output import document
from tenants.selectors import key_by_public_id
from tenants.services.keys import virtual_key_revoke


class Command(BaseCommand):
    help = "Revoke a virtual key by its public id. Revoking it again changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="the public id: the ten characters after gth_")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, id: str, json: bool, **_options: Any) -> None:  # noqa: A002
        key = key_by_public_id(id)
        if key is None:
            raise CommandError(f"there is no key with the public id {id}")
        changed = virtual_key_revoke(actor=command("revoke-key"), key=key)
        if json:
            self.stdout.write(document({"id": key.public_id, "revoked": changed}))
        else:
            self.stdout.write(f"{key.public_id} {'revoked' if changed else 'was revoked already'}")
