"""`manage.py apply FILE`: bring about what a declarative file says, all of it or nothing."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit.actor import command
from gateway.declaration.apply import Applied, apply_file
from gateway.declaration.export import flow
from gateway.declaration.faults import DeclarationError
from gateway.declaration.session import FileChange, Plain
from gateway.management.output import document

USAGE = 2
SIGNS = {"create": "+", "update": "~", "remove": "-"}


class Command(BaseCommand):
    help = "Apply a declarative file: all of it, or nothing where anything in it is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the file (YAML)")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        parser.add_argument(
            "--prune", action="store_true", help="remove what the file does not name"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(
        self, *_args: Any, file: Path, dry_run: bool, prune: bool, json: bool, **_options: Any
    ) -> None:
        try:
            done = apply_file(
                file, os.environ, actor=command("apply"), dry_run=dry_run, prune=prune
            )
        except DeclarationError as error:
            if json:
                self._print_json(Applied((), applied=False))
            raise CommandError(str(error)) from None
        except OSError as error:
            message = f"{file} cannot be read: {error.strerror}"
            raise CommandError(message, returncode=USAGE) from None
        if json:
            self._print_json(done)
        else:
            self._print_lines(done)

    def _print_json(self, done: Applied) -> None:
        changes = [
            {"op": one.op, "kind": one.kind, "name": one.name, "fields": dict(one.fields)}
            for one in done.changes
        ]
        self.stdout.write(document({"changes": changes, "applied": done.applied}))

    def _print_lines(self, done: Applied) -> None:
        for change in done.changes:
            self.stdout.write(_line(change))
        verb = "changed" if done.applied else "would change"
        self.stdout.write(f"{len(done.changes)} {verb}")


def _line(change: FileChange) -> str:
    details = ", ".join(
        f"{name}: {_shown(values['from'])} -> {_shown(values['to'])}"
        for name, values in change.fields.items()
    )
    said = f"{SIGNS[change.op]} {change.kind} {change.name}"
    return f"{said} ({details})" if change.op == "update" else said


def _shown(value: Plain) -> str:
    return "nothing" if value is None else flow(value)
