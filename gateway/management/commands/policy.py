"""`manage.py policy ...`: policies as files, for editors and CI; only `simulate` needs a server."""

import json as jsons
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from django.core.management.base import BaseCommand, CommandError

from gateway.management import simulating
from gateway.management.output import document as one_line
from policies.detectors.packs import COUNTRIES
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.detectors.secrets import RULES
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.pdp.reference import reference
from policies.pdp.schema import policy_schema
from policies.pdp.testing import CaseResult, run_cases

USAGE = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file: a sound document, or an error; `tests` where they were run."""

    path: Path
    document: Document | None
    error: PolicyError | None
    tests: tuple[CaseResult, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong, and no test failed."""
        return self.error is None and all(result.passed for result in self.tests)


class Command(BaseCommand):
    help = "Check and test policy files, or print what describes the language."
    requires_system_checks: list[str] = []  # noqa: RUF012 (as the base class declares it)

    def add_arguments(self, parser: ArgumentParser) -> None:
        subcommands = parser.add_subparsers(dest="subcommand", required=True)
        for name, said in (
            ("check", "say what is wrong with policies"),
            ("test", "check policies and run the tests in them"),
        ):
            command = subcommands.add_parser(name, help=said)
            command.add_argument("files", type=Path, nargs="+", metavar="FILE")
            command.add_argument("--json", action="store_true", help="print one JSON document")
        simulating.add_arguments(
            subcommands.add_parser("simulate", help="say whom a policy would have affected")
        )
        subcommands.add_parser("schema", help="print the JSON Schema of a policy")
        subcommands.add_parser("reference", help="print the reference of the language")

    def handle(self, *_args: Any, subcommand: str, **options: Any) -> None:
        if subcommand == "schema":
            self.stdout.write(jsons.dumps(policy_schema(), indent=2, ensure_ascii=False))
            return
        if subcommand == "reference":
            self.stdout.write(reference(), ending="")
            return
        if subcommand == "simulate":
            self._simulate(options)
            return
        kinds = known_kinds()
        done = [_checked(path, kinds, test=subcommand == "test") for path in options["files"]]
        if options["json"]:
            self.stdout.write(one_line({"ok": _all(done), "files": [_json(one) for one in done]}))
        else:
            self._print(done)
        if not _all(done):
            bad = sum(not one.ok for one in done)
            raise CommandError(f"{bad} of {len(done)} files are not good")

    def _simulate(self, options: dict[str, Any]) -> None:
        checked = _checked(options["file"], known_kinds(), test=False)
        if checked.document is None:
            raise CommandError(
                "\n".join(_located(checked.path, cast("PolicyError", checked.error)))
            )
        try:
            found = simulating.simulate(checked.document, options)
        except PolicyError as error:
            raise CommandError(f"the policy does not fit what holds: {error}") from None
        self.stdout.write(one_line(found) if options["json"] else simulating.text(found))

    def _print(self, done: Iterable[Checked]) -> None:
        for one in done:
            if one.error is not None:
                self.stdout.write("\n".join(_located(one.path, one.error)))
            for result in one.tests:
                if not result.passed:
                    failed = f'the test "{result.name}" fails: expected {result.expected}'
                    self.stdout.write(f"{one.path}:{result.line}:1: {failed}, got {result.got}")
            if one.document is not None and one.ok:
                rules, tests = len(one.document.rules), len(one.document.tests)
                ran = f"{len(one.tests)} of {tests} tests passed" if one.tests else f"{tests} tests"
                self.stdout.write(f"{one.path}: {one.document.name}: {rules} rules, {ran}")


def known_kinds() -> frozenset[str]:
    """Return every kind that detectors find, with the identifiers of all countries."""
    scanner = Scanner(DetectorConfig(countries=tuple(COUNTRIES)))
    return scanner.kinds | {rule.kind for rule in RULES}


def _checked(path: Path, kinds: frozenset[str], *, test: bool) -> Checked:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=USAGE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8 text", returncode=USAGE) from None
    try:
        found = parse_document(text, kinds)
        EffectivePolicy([Layered("tenant", found.name, 0, found)])
    except PolicyError as error:
        return Checked(path, None, error, ())
    return Checked(path, found, None, run_cases(found) if test else ())


def _all(done: Iterable[Checked]) -> bool:
    return all(one.ok for one in done)


def _located(path: Path, error: PolicyError) -> Iterable[str]:
    """Yield the problems as compilers print them: with the file before line and column."""
    for line in str(error).split("\n"):
        yield line if line.startswith("  ") else f"{path}:{line}"


def _json(one: Checked) -> dict[str, object]:
    found: dict[str, object] = {"file": str(one.path), "ok": one.ok}
    if one.document is not None:
        found |= {
            "policy": one.document.name,
            "hash": one.document.hash,
            "rules": len(one.document.rules),
        }
    problems = one.error.problems if one.error is not None else ()
    found["problems"] = [asdict(problem) for problem in problems]
    found["tests"] = [asdict(result) for result in one.tests]
    return found
