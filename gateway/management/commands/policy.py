"""`manage.py policy ...`: policies as files, for editors and CI.

Only `simulate`, which asks recorded calls, `publish` and `check --installed` need a server.
"""

import json as jsons
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from audit.actor import command as command_actor
from gateway.management import simulating
from gateway.management.output import counted, refused
from gateway.management.output import document as one_line
from gateway.management.policy_findings import Said, say
from gateway.management.publishing import Place, publish_text
from policies.pdp.analysis.names import KnownNames
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.pdp.reference import reference
from policies.pdp.schema import policy_schema
from policies.pdp.testing import CaseResult, run_cases
from policies.versions import check_names
from policies.vocabulary import known_kinds, names_for

USAGE = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file: a sound document, or an error; `tests` where they were run."""

    path: Path
    document: Document | None
    error: PolicyError | None
    tests: tuple[CaseResult, ...]
    gathers: tuple[str, ...] = ()
    said: Said | None = None

    @property
    def ok(self) -> bool:
        """True where nothing is wrong, and no test failed."""
        return self.error is None and all(result.passed for result in self.tests)


class Command(BaseCommand):
    help = "Check, test and publish policy files, or print what describes the language."
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
            if name == "check":
                command.add_argument(
                    "--strict", action="store_true", help="fail where analysis warns"
                )
                command.add_argument(
                    "--installed",
                    action="store_true",
                    help="fail where a rule names a model, service, tenant or app not there",
                )
                command.add_argument(
                    "--against", type=Path, metavar="FILE", help="say what differs from this text"
                )
        command = subcommands.add_parser("publish", help="freeze a text and put it in force")
        command.add_argument("file", type=Path, metavar="FILE")
        command.add_argument("--tenant", default="", help="attach the policy to this tenant")
        command.add_argument("--app", default="", help="to this app of the tenant alone")
        command.add_argument("--platform", action="store_true", help="to the whole installation")
        command.add_argument("--reason", default="", help="kept in the audit trail")
        command.add_argument("--json", action="store_true", help="print one JSON document")
        simulating.add_arguments(
            subcommands.add_parser("simulate", help="say whom a policy would have affected")
        )
        subcommands.add_parser("schema", help="print the JSON Schema of a policy")
        subcommands.add_parser("reference", help="print the reference of the language")

    def handle(self, *_args: Any, subcommand: str, **options: Any) -> None:
        if subcommand == "schema":
            self.stdout.write(jsons.dumps(policy_schema(), indent=2, ensure_ascii=False))
        elif subcommand == "reference":
            self.stdout.write(reference(), ending="")
        elif subcommand == "publish":
            self._publish(**options)
        elif subcommand == "simulate":
            self._simulate(options)
        else:
            self._check(subcommand, options)

    def _check(self, subcommand: str, options: dict[str, Any]) -> None:
        kinds = known_kinds()
        names = KnownNames(kinds=kinds)
        if options.get("installed"):
            names = names_for(command_actor("policy check"))
        is_test = subcommand == "test"
        done = [_checked(path, kinds, names, test=is_test) for path in options["files"]]
        if subcommand == "check":
            done = _analysed(done, options["against"], kinds)
        if options["json"]:
            self.stdout.write(one_line({"ok": _all(done), "files": [_json(one) for one in done]}))
        else:
            self._print(done)
        if not _all(done):
            bad = sum(not one.ok for one in done)
            raise CommandError(f"not good: {bad} of {counted(len(done), 'file')}")
        warnings = sum(one.said.report.warnings for one in done if one.said is not None)
        if warnings and options.get("strict"):
            raise CommandError(f"analysis found {counted(warnings, 'warning')}")

    def _publish(
        self,
        *,
        file: Path,
        tenant: str,
        app: str,
        platform: bool,
        reason: str,
        json: bool,
        **_options: Any,
    ) -> None:
        if (app and not tenant) or (platform and tenant):
            message = "--app takes --tenant, and --platform takes neither"
            raise CommandError(message, returncode=USAGE)
        source, place = _text(file), Place(tenant, app, platform)
        try:
            done = publish_text(command_actor("policy publish"), source, place, reason)
        except PolicyError as error:
            if json:
                problems = [asdict(problem) for problem in error.problems]
                told = {"ok": False, "file": str(file), "problems": problems}
                self.stdout.write(one_line(told))
            else:
                self.stdout.write("\n".join(_located(file, error)))
            raise CommandError(f"{file} was not published; nothing was changed") from None
        except ValidationError as error:
            if json:
                told = {"ok": False, "file": str(file), "problems": []}
                self.stdout.write(one_line({**told, "refused": error.messages}))
            raise refused(error) from None
        if json:
            self.stdout.write(one_line({"ok": True, "file": str(file), **done.written()}))
        else:
            verb = "is in force" if done.changed else "was in force already"
            where = ", and attached" if done.attached else ""
            self.stdout.write(f"{file}: {done.policy}: version {done.version} {verb}{where}")

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
                rules = counted(len(one.document.rules), "rule")
                tests = counted(len(one.document.tests), "test")
                ran = f"{len(one.tests)} of {tests} passed" if one.tests else tests
                self.stdout.write(f"{one.path}: {one.document.name}: {rules}, {ran}")
                for reason in one.gathers:
                    self.stdout.write(f"{one.path}: streams wait for their end: {reason}")
            for line in one.said.lines(one.path) if one.said is not None else ():
                self.stdout.write(line)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=USAGE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8 text", returncode=USAGE) from None


def _checked(
    path: Path, kinds: frozenset[str], names: KnownNames | None = None, *, test: bool
) -> Checked:
    text = _text(path)
    try:
        found = parse_document(text, kinds)
        check_names(found, names or KnownNames(kinds=kinds))
        policy = EffectivePolicy([Layered("tenant", found.name, 0, found)])
    except PolicyError as error:
        return Checked(path, None, error, ())
    return Checked(path, found, None, run_cases(found) if test else (), policy.gathers)


def _analysed(
    done: Iterable[Checked], against: Path | None, kinds: frozenset[str]
) -> list[Checked]:
    """Add to sound documents what analysis says of them, and what differs from `against`."""
    earlier = _checked(against, kinds, test=False) if against is not None else None
    if earlier is not None and earlier.document is None:
        raise CommandError(f"{against} is no policy to compare with: {earlier.error}")
    before = earlier.document if earlier is not None else None
    return [
        replace(one, said=say(one.document, before)) if one.document is not None else one
        for one in done
    ]


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
            "gathers": list(one.gathers),
        }
    problems = one.error.problems if one.error is not None else ()
    found["problems"] = [asdict(problem) for problem in problems]
    found["tests"] = [asdict(result) for result in one.tests]
    if one.said is not None:
        found |= one.said.written()
    return found
