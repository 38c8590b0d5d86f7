"""`manage.py up`: run Gatehouse on this machine, with servers of its own where none is given."""

import dataclasses
import io
import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from gateway import selectors, up
from gateway.config import Config
from gateway.up import Prepared


class Command(BaseCommand):
    help = "Start PostgreSQL and Redis if none is configured, migrate, seed, and run everything."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="migrate and seed the configured database, print what was made, start nothing",
        )

    def handle(self, *_args: Any, prepare: bool, **_options: Any) -> None:
        if not prepare:
            sys.exit(up.main(os.environ))
        made = self._prepare(settings.GATEHOUSE)
        self.stdout.write(json.dumps(dataclasses.asdict(made)))

    def _prepare(self, config: Config) -> Prepared:
        call_command("migrate", interactive=False, verbosity=0, stdout=self.stderr)
        remembered = config.data / "demo.json"
        seed = self._seed() if config.demo and not selectors.is_seeded() else None
        if seed is not None:
            remembered.write_text(json.dumps({"model": seed["model"]}), encoding="utf-8")
        known = json.loads(remembered.read_text("utf-8")) if remembered.exists() else {"model": ""}
        admin = seed["admin"] if seed else {"email": None, "password": None}
        return Prepared(
            setup_link=selectors.setup_link(config.base_url) or "",
            key=seed["key"] if seed else "",
            model=known["model"],
            email=admin["email"] or "",
            password=admin["password"] or "",
        )

    def _seed(self) -> dict[str, Any]:
        output = io.StringIO()
        call_command("bootstrap", "--json", stdout=output)
        seeded: dict[str, Any] = json.loads(output.getvalue())
        return seeded
