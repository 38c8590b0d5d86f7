"""`manage.py bootstrap`: the demo tenant, its administrator, and a fresh key."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from audit.actor import command
from gateway.demo.seed import APP, MODEL, TENANT, seed
from gateway.management.output import document
from gateway.selectors import base_url


class Command(BaseCommand):
    help = "Set up the demo tenant on the simulated provider, and issue a new key for it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, json: bool, **_options: Any) -> None:
        made = seed(command("bootstrap"))
        if json:
            admin = {"email": made.email, "password": made.password}
            self.stdout.write(
                document(
                    {
                        "base_url": base_url(),
                        "admin": admin,
                        "tenant": TENANT,
                        "app": APP,
                        "key": made.key,
                        "model": MODEL,
                    }
                )
            )
            return
        password = made.password or "as before"
        self.stdout.write(f"{base_url()}  tenant {TENANT}, app {APP}, model {MODEL}")
        self.stdout.write(f"administrator {made.email}, password: {password}")
        self.stdout.write(f"key, shown this once: {made.key}")
