"""`manage.py policy publish`: what a customer's CI sees, and how the command ends."""

import io
import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from audit.models import Event
from policies.models import Attachment, Policy
from policies.services.reviews import review_rule_set
from tests.policies.lifecycle import OPERATOR, House, unique

pytestmark = pytest.mark.usefixtures("db")

TEXT = "policy: {name}\ndefault: permit\nrules: []\n"


@pytest.fixture
def file(tmp_path):
    def write(text, name="house.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def publish(*arguments):
    """Return the exit code and what was printed."""
    output, code = io.StringIO(), 0
    try:
        call_command("policy", "publish", *map(str, arguments), stdout=output)
    except CommandError as error:
        code = error.returncode
    return code, output.getvalue()


def published(*arguments):
    code, told = publish(*arguments, "--json")
    assert told.count("\n") == 1
    return code, json.loads(told)


def test_a_text_is_frozen_and_put_in_force(file):
    name = unique("policy")
    path = file(TEXT.format(name=name))
    code, told = published(path, "--reason", "release 7")
    assert (code, told["ok"], told["policy"], told["version"]) == (0, True, name, 1)
    assert (told["changed"], told["attached"]) == (True, False)
    assert published(path)[1]["changed"] is False
    assert publish(path) == (0, f"{path}: {name}: version 1 was in force already\n")
    event = Event.objects.filter(action="policy.publish", object_name=name).get()
    assert (event.actor, event.reason) == ("policy publish", "release 7")


def test_it_is_attached_where_it_shall_hold_once(file):
    house, name = House(), unique("policy")
    path = file(TEXT.format(name=name))
    where = ["--tenant", house.tenant.name, "--app", "helpdesk"]
    assert published(path, *where)[1]["attached"] is True
    assert published(path, *where)[1]["attached"] is False
    (held,) = Attachment.objects.filter(policy__name=name)
    assert (held.tenant, held.app) == (house.tenant, house.app)


def test_what_is_wrong_changes_nothing_and_is_said_where_it_is(file):
    name = unique("policy")
    path = file(f"policy: {name}\ndefault: maybe\n")
    code, told = published(path)
    assert (code, told["ok"], told["problems"][0]["line"]) == (1, False, 2)
    code, told = publish(path)
    assert code == 1
    assert told.startswith(f"{path}:2:")
    failing = TEXT.format(name=name) + "tests:\n  - {name: t, given: {}, expect: {deny: default}}\n"
    assert published(file(failing))[0] == 1
    routed = f"policy: {name}\ndefault: permit\nrules:\n  - {{id: r, when: true, route: nobody}}\n"
    code, told = published(file(routed))
    assert (code, told["problems"][0]["line"]) == (1, 4)
    assert not Policy.objects.filter(name=name).exists()


def test_a_tenant_that_is_not_there_is_refused_and_nothing_is_published(file):
    name = unique("policy")
    path = file(TEXT.format(name=name))
    code, told = published(path, "--tenant", "nobody")
    assert (code, told["refused"]) == (1, ["there is no tenant nobody"])
    assert published(path, "--tenant", House().tenant.name, "--app", "none")[0] == 1
    assert not Policy.objects.filter(name=name).exists()


def test_a_wrong_call_is_told_from_a_refusal(file, tmp_path):
    assert publish(tmp_path / "none.yaml")[0] == 2
    path = file(TEXT.format(name="x"))
    assert publish(path, "--app", "helpdesk")[0] == 2
    assert publish(path, "--platform", "--tenant", "acme")[0] == 2


def test_a_file_is_reviewed_where_it_is(file):
    house = House()
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    code, told = published(file(house.text("default: deny\n")))
    assert (code, told["version"]) == (0, 2)
