"""`manage.py export-config`: the installation as a declarative file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from gateway.declaration.export import exported, policy_texts, render
from gateway.management.output import document


class Command(BaseCommand):
    help = "Print everything that a declarative file can say, or write it with its policies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument(
            "--to", type=Path, metavar="FOLDER", help="write gatehouse.yaml and policies/ there"
        )

    def handle(self, *_args: Any, json: bool, to: Path | None, **_options: Any) -> None:
        whole = exported()
        if to is not None:
            _write(to, whole)
        elif json:
            self.stdout.write(document(whole))
        else:
            self.stdout.write(render(whole), ending="")


def _write(folder: Path, whole: dict[str, Any]) -> None:
    """Write the file, and each policy's text into a file of its own."""
    policies = folder / "policies"
    policies.mkdir(parents=True, exist_ok=True)
    texts = policy_texts()
    for name, text in texts:
        (policies / f"{name}.yaml").write_text(text, encoding="utf-8")
    named = [{"file": f"policies/{name}.yaml"} for name, _ in texts]
    whole = {**whole, "policies": named}
    (folder / "gatehouse.yaml").write_text(render(whole), encoding="utf-8")
