"""`manage.py create-application`: an OAuth2 application, whose secret is shown this once."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from audit.actor import command
from gateway.management.output import document, refused
from gateway.scopes import SCOPES
from gateway.services.applications import CLIENT_CREDENTIALS, oauth_application_create
from tenants.models import Role
from tenants.selectors import tenant_named


class Command(BaseCommand):
    help = "Create an application that acts as itself. The secret is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--tenant", help="whose it is; without: the platform's")
        parser.add_argument(
            "--role", action="append", default=[], choices=Role.values, help="again for more"
        )
        parser.add_argument(
            "--scope", action="append", required=True, choices=sorted(SCOPES), help="again for more"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(
        self,
        *_args: Any,
        name: str,
        tenant: str | None,
        role: Sequence[str],
        scope: Sequence[str],
        json: bool,
        **_options: Any,
    ) -> None:
        owner = None if tenant is None else tenant_named(tenant)
        if tenant is not None and owner is None:
            raise CommandError(f"there is no tenant {tenant}")
        try:
            made, secret = oauth_application_create(
                actor=command("create-application"),
                tenant=owner,
                name=name,
                grant=CLIENT_CREDENTIALS,
                scopes=scope,
                roles=role,
            )
        except ValidationError as error:
            raise refused(error) from None
        if json:
            self.stdout.write(document({"client_id": made.client_id, "client_secret": secret}))
        else:
            self.stdout.write(f"{made.client_id}  {secret}")
