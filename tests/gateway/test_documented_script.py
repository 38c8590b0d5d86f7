"""docs/management-api.md says how a program goes from nothing to a governed call: it does."""

import datetime
import hashlib
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
from django.utils import timezone

from audit.models import Event, Record
from tenants.models import App
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create
from tests import estate
from tests.booked import Calls, hours_of
from tests.gateway.jobs.workers import Worker
from tests.management import OPERATOR, application
from tests.stack import Gateway

pytestmark = pytest.mark.usefixtures("db")

PAGE = (Path(__file__).parents[2] / "docs" / "management-api.md").read_text()


def block(language, heading=""):
    """Return the first block of a language behind a heading."""
    behind = PAGE[PAGE.index(f"## {heading}") :]
    return re.findall(rf"```{language}\n(.*?)```", behind, re.DOTALL)[0]


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


def test_the_documented_export_works(unique, tmp_path):
    tenant = tenant_create(actor=OPERATOR, name=unique("acme"))
    calls = Calls(tenant, app_create(actor=OPERATOR, tenant=tenant, name="app"))
    yesterday = timezone.now().date() - datetime.timedelta(days=1)
    calls.at_random(hours_of(yesterday), hours_of(yesterday) + datetime.timedelta(days=1), 20)
    calls.book()
    scopes = ["tenants:read", "exports:read", "exports:write"]
    made, secret = application(tenant, "auditor", scopes=scopes)
    with Gateway() as gateway, Worker():
        environ = {
            **os.environ,
            "GATEHOUSE_URL": gateway.base_url,
            "CLIENT_ID": made.client_id,
            "CLIENT_SECRET": secret,
            "TENANT": tenant.name,
            "DAY": yesterday.isoformat(),
        }
        told = subprocess.run(
            [sys.executable, "-c", block("python", "Export a day by script")],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr + gateway.output()[-2000:]
    manifest = json.loads((tmp_path / "manifest.json").read_bytes())
    assert manifest["tenant"] == tenant.name
    assert manifest["rows"]["records"] == Record.objects.filter(tenant_id=tenant.id).count()
    for part in manifest["parts"]:
        content = (tmp_path / part["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == part["sha256"]
        assert f"{part['name']} {part['sha256']}" in told.stdout
    assert Event.objects.filter(tenant_id=tenant.id, action="export.download").count() == 3


def test_an_application_for_nobody_is_refused(unique):
    with pytest.raises(CommandError, match="there is no tenant"):
        create(tenant=unique("none"))
    with pytest.raises(CommandError, match="roles are for"):
        call_command("create-application", name=unique("bot"), scope=["apps:read"], role=["admin"])


def test_an_application_of_the_platform_needs_no_tenant(unique):
    output = io.StringIO()
    call_command("create-application", name=unique("bot"), scope=["apps:read"], stdout=output)
    assert "gths_" in output.getvalue()
