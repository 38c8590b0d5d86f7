"""`manage.py issue-key`: a new virtual key, whose secret is shown this once."""

import datetime
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from audit.actor import command
from gateway.envelope import key_pepper
from gateway.management.arguments import instant
from gateway.management.output import document, refused
from tenants.selectors import app_named
from tenants.services.keys import virtual_key_issue


class Command(BaseCommand):
    help = "Issue a virtual key for an app. The secret is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", required=True)
        parser.add_argument("--app", required=True)
        parser.add_argument("--name", default="command line", help="what the key is for")
        parser.add_argument("--expires", type=instant, metavar="ISO", help="when it ends")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(
        self,
        *_args: Any,
        tenant: str,
        app: str,
        name: str,
        expires: datetime.datetime | None,
        json: bool,
        **_options: Any,
    ) -> None:
        found = app_named(tenant, app)
        if found is None:
            raise CommandError(f"there is no app {app} of a tenant {tenant}")
        try:
            key, issued = virtual_key_issue(
                actor=command("issue-key"),
                app=found,
                name=name,
                pepper=key_pepper(settings.GATEHOUSE.kek),
                expires_at=expires,
            )
        except ValidationError as error:
            raise refused(error) from None
        if json:
            self.stdout.write(document({"id": key.public_id, "secret": issued.secret}))
        else:
            self.stdout.write(f"{key.public_id}  {issued.secret}")
