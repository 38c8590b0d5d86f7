"""Tenants by the API."""

import pytest

from tenants.models import Tenant, VirtualKey
from tests.gateway.call_records import World
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")


def test_the_life_of_a_tenant(unique):
    root = Api(owner_of_all(unique))
    made = root.post("tenants/", {"name": unique("acme"), "timezone": "Asia/Tokyo"})
    assert made.status_code == 201
    address = f"tenants/{made.json()['id']}/"
    changed = root.patch(address, {"tags": ["team"], "reason": "asked for"})
    assert (changed.status_code, changed.json()["tags"]) == (200, ["team"])
    assert root.post(f"{address}suspend/").json()["state"] == "suspended"
    assert root.post(f"{address}resume/").json()["state"] == "active"
    assert root.delete(address).status_code == 204
    assert root.get(address).status_code == 404
    assert Tenant.objects.get(pk=made.json()["id"]).state == "removed"


def test_what_a_tenant_cannot_be(unique):
    root = Api(owner_of_all(unique))
    for body, field in (
        ({"name": unique("acme"), "timezone": "Mars/Olympus"}, "timezone"),
        ({"name": unique("acme"), "evidence": "batch"}, "evidence"),
        ({"name": unique("acme"), "pii_countries": ["USA"]}, "pii_countries.0"),
        ({"name": unique("acme"), "state": "suspended"}, "state"),
        ({}, "name"),
    ):
        answer = root.post("tenants/", body)
        assert answer.status_code == 400, body
        assert field in {fault["field"] for fault in answer.json()["errors"]}


def test_an_owner_changes_their_tenant_and_does_not_suspend_it(unique):
    world = World(unique)
    alice = Api(world.person("owner"))
    address = f"tenants/{world.tenant.id}/"
    assert alice.patch(address, {"timezone": "UTC"}).json()["timezone"] == "UTC"
    refused = alice.post(f"{address}suspend/")
    assert (refused.status_code, refused.json()["permission"]) == (403, "tenant.suspend")
    assert not VirtualKey.objects.filter(tenant=world.tenant, state="revoked").exists()
    assert alice.get(f"tenants/?name={world.tenant.name}").json()["results"]
    assert alice.get("tenants/?state=suspended").json()["results"] == []


def test_the_models_where_a_call_names_none_are_set_by_tier(unique):
    root = Api(owner_of_all(unique))
    body = {"name": unique("acme"), "default_model": "small", "tier_models": {"gold": "large"}}
    made = root.post("tenants/", body)
    assert (made.status_code, made.json()["tier_models"]) == (201, {"gold": "large"})
    address = f"tenants/{made.json()['id']}/"
    for wrong in (["gold"], {"gold": 1}, {"": "small"}, {"t" * 64: "small"}, {"gold": ""}):
        assert root.patch(address, {"tier_models": wrong}).status_code == 400, wrong
    many = {f"t{number}": "small" for number in range(51)}
    assert root.patch(address, {"tier_models": many}).status_code == 400
    changed = root.patch(address, {"default_model": "", "tier_models": {}}).json()
    assert (changed["default_model"], changed["tier_models"]) == ("", {})


def test_detectors_of_its_own_are_stored_in_one_form_and_wrong_ones_told_by_their_path(unique):
    world = World(unique)
    alice = Api(world.person("owner"))
    address = f"tenants/{world.tenant.id}/"
    own = [{"words": ["Bluebird"], "kind": "CODENAME", "score": 1}]
    changed = alice.patch(address, {"detectors": own})
    assert changed.status_code == 200
    assert changed.json()["detectors"] == [{"kind": "CODENAME", "words": ["Bluebird"]}]
    assert alice.get(address).json()["detectors"] == changed.json()["detectors"]
    for wrong, said in (
        ([{"kind": "A", "patterns": ["x(?=y)"]}], "detectors[0].patterns[0]: the pattern, cha"),
        ([{"kind": "EMAIL_ADDRESS", "words": ["x"]}], "detectors[0].kind: EMAIL_ADDRESS is a ki"),
        ([{"kind": "A", "words": ["x"], "weight": 1}], 'a detector has no key "weight"'),
        ([1], ""),
        ({}, ""),
    ):
        answer = alice.patch(address, {"detectors": wrong})
        assert answer.status_code == 400, wrong
        assert any(said in fault["message"] for fault in answer.json()["errors"]), answer.json()
    assert alice.get(address).json()["detectors"] == changed.json()["detectors"]
