"""The command line: `python manage.py help`."""

import contextlib
import os
import sys

from gateway import up
from gateway.child import ServerError
from gateway.config import ConfigError
from gateway.data_folder import FolderBusyError
from gateway.embedded import join_or_start

# Whoever runs one of these needs no server; every other command finds or starts them.
SERVERLESS = frozenset({"", "help", "ner", "up", "version", "collectstatic", "diffsettings"}) | {
    "policy check",
    "policy test",
    "policy schema",
    "policy reference",
}


def main(argv: list[str]) -> int:
    """Run one command. Returns 0 when done, 1 when refused, 2 when called wrongly."""
    if argv[1:] == ["up"]:
        return up.main(os.environ)
    if argv[1:] == ["ner"]:
        from gateway.ner import process  # noqa: PLC0415  (nobody else has a use for it)

        return process.main(os.environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    command = argv[1] if len(argv) > 1 else ""
    named = {command, " ".join(argv[1:3])}
    asks = not (named.isdisjoint(SERVERLESS) and {"-h", "--help", "--version"}.isdisjoint(argv))
    try:
        with contextlib.nullcontext() if asks else join_or_start(os.environ):
            # Late: `up` supervises without a framework, and settings want the servers' URLs.
            from django.core.management import execute_from_command_line  # noqa: PLC0415

            execute_from_command_line(argv)
    except (ConfigError, FolderBusyError, ServerError) as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
