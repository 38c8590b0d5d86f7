"""docs/management-api.md says how a program goes from nothing to a governed call: it does."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from audit.models import Record
from tenants.models import App
from tests import estate
from tests.stack import Gateway

pytestmark = pytest.mark.usefixtures("db")

PAGE = (Path(__file__).parents[2] / "docs" / "management-api.md").read_text()


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def create(**changes):
    """Make an application by the documented command, for another tenant."""
    words = block("sh").replace("\\\n", " ").split()[2:]
    for name, value in changes.items():
        words[words.index(f"--{name}") + 1] = value
    output = io.StringIO()
    call_command(*words, stdout=output)
    return json.loads(output.getvalue())


class Publisher(threading.Thread):
    """Compiles what has changed, as the worker of the control plane does."""

    def __init__(self, made):
        super().__init__()
        self.made, self.over = made, threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            self.made.publish()
        connections.close_all()

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self.over.set()
        self.join()


def test_the_documented_script_works():
    made = estate.estate(estate.route((estate.simulated(), "simulated")))
    application = create(tenant=made.tenant.name)
    with Gateway() as gateway, Publisher(made):
        environ = {
            **os.environ,
            "GATEHOUSE_URL": gateway.base_url,
            "CLIENT_ID": application["client_id"],
            "CLIENT_SECRET": application["client_secret"],
            "TENANT": made.tenant.name,
            "MODEL": made.model,
        }
        told = subprocess.run(
            [sys.executable, "-c", block("python")],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr + gateway.output()[-2000:]
        curl = shutil.which("curl")
        if curl:
            asked = subprocess.run(
                ["sh", "-c", block("curl")], env=environ, capture_output=True, check=True
            )
            assert json.loads(asked.stdout)["token_type"] == "Bearer"
    assert told.stdout.strip()
    app = App.objects.get(tenant=made.tenant, name="weather-bot")
    kinds = Record.objects.filter(app_id=app.id).values_list("kind", flat=True)
    assert sorted(kinds) == ["admitted", "completed"]


def test_an_application_for_nobody_is_refused(unique):
    with pytest.raises(CommandError, match="there is no tenant"):
        create(tenant=unique("none"))
    with pytest.raises(CommandError, match="roles are for"):
        call_command("create-application", name=unique("bot"), scope=["apps:read"], role=["admin"])


def test_an_application_of_the_platform_needs_no_tenant(unique):
    output = io.StringIO()
    call_command("create-application", name=unique("bot"), scope=["apps:read"], stdout=output)
    assert "gths_" in output.getvalue()
