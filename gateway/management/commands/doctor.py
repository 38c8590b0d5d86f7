"""`manage.py doctor`: whether this installation can keep its promises."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from gateway.doctor import examine
from gateway.management.output import document, table


class Command(BaseCommand):
    help = "Check database, Redis, master key, partitions and providers; exit 1 if any fails."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON document")
        parser.add_argument("--offline", action="store_true", help="connect to no provider")

    def handle(self, *_args: Any, json: bool, offline: bool, **_options: Any) -> None:
        findings = examine(offline=offline)
        ok = all(finding.ok for finding in findings)
        if json:
            checks = [{"check": one.check, "ok": one.ok, "detail": one.detail} for one in findings]
            self.stdout.write(document({"ok": ok, "checks": checks}))
        else:
            rows = [("ok" if one.ok else "FAIL", one.check, one.detail) for one in findings]
            self.stdout.write(table(rows))
        if not ok:
            sys.exit(1)
