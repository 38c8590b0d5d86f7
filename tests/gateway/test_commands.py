"""The commands as a script calls them: what they print, what they do, how they end."""

import datetime
import io
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from audit.actor import command
from audit.models import Event
from gateway import doctor
from gateway.bundle import decode
from gateway.declaration.apply import bring_about
from gateway.demo.seed import FILE
from gateway.envelope import key_pepper
from gateway.models import BundleRevision, Credential
from gateway.selectors import is_seeded
from gateway.services.providers import credential_set, provider_create
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, SLOTS
from tenants import keys
from tenants.models import App, Budget, Membership, RateLimit, Tenant, User, VirtualKey
from tenants.services.tenants import tenant_create

pytestmark = pytest.mark.usefixtures("db")

ROOT = Path(__file__).parents[2]
FILE_TEXT = """\
version: 1
tenants:
  - name: {name}
    apps: [{{name: helpdesk}}]
"""


def run(*arguments, **options):
    output = io.StringIO()
    call_command(*arguments, stdout=output, **options)
    return output.getvalue()


def run_json(*arguments):
    output = run(*arguments, "--json")
    assert output.count("\n") == 1
    return json.loads(output)


def script(*arguments, **environ):
    """Run a command in a process of its own, as a script does."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def acme(tmp_path):
    """A tenant with an app, made by a file: its name, and the file."""
    name = f"acme-{secrets.token_hex(4)}"
    path = tmp_path / "gatehouse.yaml"
    path.write_text(FILE_TEXT.format(name=name))
    run("apply", str(path))
    return name, path


# bootstrap


def test_bootstrap_prints_what_a_script_needs_for_its_first_call():
    made = run_json("bootstrap")
    assert list(made) == ["base_url", "admin", "tenant", "app", "key", "model"]
    assert list(made["admin"]) == ["email", "password"]
    assert (made["tenant"], made["app"], made["model"]) == ("demo", "demo-app", "simulated")
    assert made["base_url"] == settings.GATEHOUSE.base_url
    pepper = key_pepper(settings.GATEHOUSE.kek)
    key = VirtualKey.objects.get(digest=keys.digest(made["key"], pepper))
    assert (key.name, key.state, key.app.name) == ("bootstrap", "active", "demo-app")
    assert is_seeded()


def test_bootstrap_again_replaces_the_key_and_nothing_else():
    first = run_json("bootstrap")
    tenant = Tenant.objects.get(name="demo", state="active")
    last = Event.objects.order_by("-id").first().id
    second = run_json("bootstrap")
    assert second["admin"] == {"email": first["admin"]["email"], "password": None}
    assert second["key"] != first["key"]
    done = Event.objects.filter(id__gt=last).order_by("id")
    assert [event.action for event in done] == ["virtual_key.revoke", "virtual_key.issue"]
    named = VirtualKey.objects.filter(tenant=tenant, name="bootstrap", state="active")
    assert [key.public_id for key in named] == [second["key"].split("_")[1]]


def test_bootstraps_administrator_owns_the_demo_and_not_the_installation():
    email = run_json("bootstrap")["admin"]["email"]
    user = User.objects.get(email=email)
    assert not user.is_superuser
    roles = Membership.objects.filter(user=user).values_list("tenant__name", "role")
    assert list(roles) == [("demo", "owner")]


def test_a_demo_whose_administrator_is_new_tells_the_password():
    run_json("bootstrap")
    User.objects.filter(email="admin@localhost.localdomain").delete()
    admin = run_json("bootstrap")["admin"]
    assert User.objects.get(email=admin["email"]).check_password(admin["password"])


def test_the_demo_is_limited_priced_and_published():
    run_json("bootstrap")
    tenant = Tenant.objects.get(name="demo", state="active")
    budget = Budget.objects.get(tenant=tenant, is_active=True)
    assert (budget.limit_micros, budget.mode, budget.window) == (25_000_000, "hard", "month")
    kinds = RateLimit.objects.filter(tenant=tenant, is_active=True).values_list("kind", flat=True)
    assert set(kinds) == {"requests", "tokens", "concurrency"}
    row = BundleRevision.objects.filter(tenant_id=tenant.id).order_by("-revision")[0]
    made = decode(bytes(row.body), row.checksum)
    app = App.objects.get(tenant=tenant, state="active")
    assert set(app.models) == set(made.routes)
    assert {name.partition("-")[0] for name in made.routes} == {"simulated"}
    for route in made.routes.values():
        (deployment,) = route.deployments
        (price,) = deployment.prices
        assert (deployment.dialect, deployment.model) == ("simulated", route.name)
        each = (price.input_pico, price.output_pico, price.request_pico)
        is_media = route.name == "simulated-media"  # no cap bounds what a picture costs
        assert price.currency == "USD"
        assert each == ((0, 0, 10_000_000_000) if is_media else (500_000, 1_500_000, 0))
    assert made.tenant_policies == ("starter",)


def decision(phase="request", **facts):
    document = parse_document(FILE.with_name("starter.yaml").read_text())
    slots = list(DEFAULTS)
    for name, value in facts.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return EffectivePolicy([Layered("tenant", "starter", 1, document)]).decide(phase, slots)


def test_the_starter_policy_permits_what_it_has_nothing_against():
    assert decision().permitted
    assert decision(call__unknown_fields=("verbosity",)).permitted
    assert decision(injection__score=0.59).permitted


def test_the_starter_policy_masks_personal_data_on_the_way_out_and_back():
    for phase, fact in (("request", "pii__max_score"), ("answer", "answer__pii__max_score")):
        made = decision(phase, **{fact: 0.4})
        (redact,) = made.obligations
        assert (redact.method, redact.min_score, redact.kinds) == ("mask", 0.4, frozenset())
        assert decision(phase, **{fact: 0.39}).obligations == ()


def test_the_starter_policy_refuses_clear_signs_of_an_injection_and_says_what_to_do():
    made = decision(injection__score=0.6, injection__signals=("instruction_override",))
    assert not made.permitted
    assert "instruction_override" in made.message
    assert made.remedy


def test_the_starter_policy_refuses_a_credential():
    made = decision(secret__count=1, secret__kinds=("github_token",))
    assert not made.permitted
    assert "github_token" in made.message


# apply and export-config


def test_apply_prints_what_it_changed(acme):
    name, path = acme
    assert run_json("apply", str(path)) == {"changes": [], "applied": True}
    path.write_text(FILE_TEXT.format(name=name).replace("apps:", "timezone: Asia/Tokyo\n    apps:"))
    change = {
        "op": "update",
        "kind": "tenant",
        "name": name,
        "fields": {"timezone": {"from": "UTC", "to": "Asia/Tokyo"}},
    }
    assert run_json("apply", str(path), "--dry-run") == {"changes": [change], "applied": False}
    assert Tenant.objects.get(name=name).timezone == "UTC"
    said = run("apply", str(path))
    assert said == f"~ tenant {name} (timezone: UTC -> Asia/Tokyo)\n1 changed\n"
    assert Tenant.objects.get(name=name).timezone == "Asia/Tokyo"


def test_apply_names_every_fault_and_prints_that_nothing_was_applied(acme):
    name, path = acme
    path.write_text(f"version: 1\ntenants: [{{name: {name}, evidence: batch, tag: []}}]\n")
    output = io.StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("apply", str(path), "--json", stdout=output)
    assert refusal.value.returncode == 1
    assert json.loads(output.getvalue()) == {"changes": [], "applied": False}
    place = len(f"tenants: [{{name: {name}, ") + 1
    first, second = str(refusal.value).splitlines()
    assert first.startswith(f"{path}:2:{place + 10}: batch is not available in this version")
    assert second.startswith(f'{path}:2:{place + 17}: a tenant has no key "tag"')


def test_apply_ends_as_a_script_expects(acme, tmp_path):
    _, path = acme
    done = script("apply", str(path), "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"changes": [], "applied": True})
    broken = tmp_path / "broken.yaml"
    broken.write_text("version: 1\nfoo: 1\n")
    refused = script("apply", str(broken))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{broken}:2:1: the file has no key" in refused.stderr
    assert script("apply").returncode == 2
    assert script("apply", str(tmp_path / "none.yaml")).returncode == 2


@pytest.fixture
def alone(tmp_path):
    """Have nothing in the installation but the demo; all else is back after the test."""
    path = tmp_path / "empty.yaml"
    path.write_text("version: 1\n")
    with transaction.atomic():
        for file in (path, FILE):
            bring_about(file, {}, actor=command("tests"), prune=True)
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("alone")
def test_export_config_prints_a_file_that_applies(tmp_path):
    path = tmp_path / "exported.yaml"
    path.write_text(run("export-config"))
    done = run_json("apply", str(path), "--dry-run", "--prune")
    assert done == {"changes": [], "applied": False}
    assert [one["name"] for one in run_json("export-config")["tenants"]] == ["demo"]


@pytest.mark.usefixtures("alone")
def test_export_config_writes_a_folder_that_applies(tmp_path):
    run("export-config", "--to", str(tmp_path / "site"))
    policy = (tmp_path / "site" / "policies" / "starter.yaml").read_text()
    assert policy == FILE.with_name("starter.yaml").read_text()
    whole = tmp_path / "site" / "gatehouse.yaml"
    assert "file: policies/starter.yaml" in whole.read_text()
    assert run_json("apply", str(whole), "--dry-run", "--prune")["changes"] == []


# issue-key and revoke-key


def test_a_key_is_issued_and_revoked_by_its_public_id(acme):
    name, _ = acme
    made = run_json("issue-key", "--tenant", name, "--app", "helpdesk", "--name", "ci")
    assert list(made) == ["id", "secret"]
    key = VirtualKey.objects.get(public_id=made["id"])
    assert (key.tenant.name, key.app.name, key.name) == (name, "helpdesk", "ci")
    assert bytes(key.digest) == keys.digest(made["secret"], key_pepper(settings.GATEHOUSE.kek))
    assert made["secret"] not in str(list(Event.objects.order_by("-id")[:1].values()))
    assert run_json("revoke-key", made["id"]) == {"id": made["id"], "revoked": True}
    assert VirtualKey.objects.get(public_id=made["id"]).state == "revoked"
    assert run_json("revoke-key", made["id"]) == {"id": made["id"], "revoked": False}


def test_a_key_ends_when_it_was_said_to(acme):
    name, _ = acme
    common = ("issue-key", "--tenant", name, "--app", "helpdesk", "--expires")
    for text, expected in (
        ("2999-01-01", datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)),
        ("2999-01-01T12:00:00+02:00", datetime.datetime(2999, 1, 1, 10, tzinfo=datetime.UTC)),
    ):
        made = run_json(*common, text)
        assert VirtualKey.objects.get(public_id=made["id"]).expires_at == expected


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["issue-key", "--tenant", "{}", "--app", "none"], "there is no app none"),
        (["issue-key", "--tenant", "none-such", "--app", "helpdesk"], "there is no app helpdesk"),
        (
            ["issue-key", "--tenant", "{}", "--app", "helpdesk", "--expires", "2001-01-01"],
            "cannot expire in the past",
        ),
        (
            ["issue-key", "--tenant", "{}", "--app", "helpdesk", "--expires", "soon"],
            "'soon' is not an ISO date",
        ),
        (["revoke-key", "0000000000"], "there is no key with the public id"),
    ],
)
def test_what_cannot_be_issued_or_revoked_is_refused(acme, arguments, why):
    name, _ = acme
    with pytest.raises(CommandError, match=why):
        run(*(argument.format(name) for argument in arguments))


def test_people_read_lines_instead(acme):
    name, _ = acme
    line = run("issue-key", "--tenant", name, "--app", "helpdesk").split()
    assert line[1].startswith(f"gth_{line[0]}_")
    assert run("revoke-key", line[0]) == f"{line[0]} revoked\n"
    assert run("revoke-key", line[0]) == f"{line[0]} was revoked already\n"
    assert "key, shown this once: gth_" in run("bootstrap")


# doctor


def test_doctor_tells_what_holds_and_what_does_not():
    output = io.StringIO()
    with pytest.raises(SystemExit) as ending:
        call_command("doctor", "--json", "--offline", stdout=output)
    said = json.loads(output.getvalue())
    checks = {one["check"]: one for one in said["checks"]}
    assert {
        "database",
        "durability",
        "database role",
        "migrations",
        "partitions",
        "credentials",
        "redis",
        "redis memory",
        "redis durability",
    } <= set(checks)
    # The servers of the tests write nothing down in time, and the doctor sees it.
    assert checks["durability"]["ok"] is False
    assert "fsync off" in checks["durability"]["detail"]
    for name in ("database", "database role", "migrations", "partitions", "redis", "redis memory"):
        assert checks[name]["ok"], checks[name]
    assert (said["ok"], ending.value.code) == (False, 1)


def test_doctor_names_who_asks_for_names_where_no_model_answers():
    name = f"asking-{secrets.token_hex(4)}"
    tenant_create(actor=command("tests"), name=name, pii_entities=["PERSON"])
    (found,) = [one for one in doctor.examine(offline=True) if one.check == "names"]
    assert not found.ok
    assert name in found.detail
    assert "named-entities.md" in found.detail


def test_doctor_prints_a_table():
    output = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--offline", stdout=output)
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("ok    database ")
    assert any(line.startswith("FAIL  durability") for line in lines)


def test_doctor_says_that_a_server_is_away():
    nowhere = "127.0.0.1:1"
    done = script(
        "doctor",
        "--json",
        DATABASE_URL=f"postgresql://app@{nowhere}/none",
        DATABASE_OWNER_URL=f"postgresql://app@{nowhere}/none",
        REDIS_URL=f"redis://{nowhere}/0",
    )
    checks = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
    assert done.returncode == 1
    assert set(checks) == {"database", "redis"}
    assert all(one["detail"].startswith("no answer: ") for one in checks.values())


def test_doctor_asks_each_provider_and_opens_each_credential():
    made = provider_create(
        actor=command("tests"), name=f"s-{secrets.token_hex(4)}", dialect="simulated"
    )
    asked = {finding.check: finding for finding in doctor._providers_of([made])}
    assert asked[f"provider {made.name}"].ok
    other = provider_create(
        actor=command("tests"),
        name=f"p-{secrets.token_hex(4)}",
        dialect="openai",
        base_url="https://api.vendor.example",
    )
    credential_set(actor=command("tests"), provider=other, secret="sk-canary")
    (finding,) = doctor._credentials()
    assert finding.ok
    Credential.objects.filter(provider=other).update(key_id="gone")
    (finding,) = doctor._credentials()
    assert not finding.ok
    assert other.name in finding.detail
    Credential.objects.filter(provider=other).delete()
