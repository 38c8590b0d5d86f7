"""Policies by the API: versions for ever, and where they hold."""

import pytest

from tests.gateway.call_records import World
from tests.management import Api, owner_of_all

pytestmark = pytest.mark.usefixtures("db")

TEXT = "policy: {name}\ndefault: permit\nrules: []\n"
STRICT = "policy: {name}\ndefault: deny\nrules: []\n"


@pytest.fixture
def world(unique):
    return World(unique)


@pytest.fixture
def alice(world):
    return Api(world.person("owner"))


def made(api, unique):
    return api.post("policies/", {"name": unique("policy")}).json()


def publish(api, policy, text, **headers):
    address = f"policies/{policy['id']}/"
    headers.setdefault("if_match", api.get(address)["ETag"])
    return api.post(f"{address}versions/", {"source": text.format(**policy)}, **headers)


def test_the_life_of_a_policy(world, alice, unique):
    policy = made(alice, unique)
    first = publish(alice, policy, TEXT)
    assert (first.status_code, first.json()["number"]) == (201, 1)
    assert publish(alice, policy, STRICT).json()["number"] == 2
    assert publish(alice, policy, TEXT).json()["number"] == 1
    versions = alice.get(f"policies/{policy['id']}/versions/?limit=1").json()
    assert [row["number"] for row in versions["results"]] == [2]
    following = alice.get(versions["next"]).json()
    assert [row["number"] for row in following["results"]] == [1]
    assert following["next"] is None
    body = {"policy": policy["id"], "tenant": str(world.tenant.id), "app": str(world.app.id)}
    held = alice.post("attachments/", body)
    assert held.status_code == 201, held.content
    found = alice.get(f"attachments/?policy={policy['id']}").json()["results"]
    assert [row["app"] for row in found] == [str(world.app.id)]
    assert alice.delete(f"attachments/{held.json()['id']}/").status_code == 204


def test_where_reviews_are_wanted_two_people_detach(world, alice, unique):
    policy = made(alice, unique)
    publish(alice, policy, TEXT)
    body = {"policy": policy["id"], "tenant": str(world.tenant.id)}
    path = f"attachments/{alice.post('attachments/', body).json()['id']}/"
    assert alice.post("review-rules/", {"tenant": str(world.tenant.id)}).status_code == 201
    asked = alice.delete(f"{path}?reason=too+strict")
    assert (asked.status_code, asked.json()["detach_reason"]) == (202, "too strict")
    assert alice.delete(path).status_code == 403
    bob = Api(world.person("approver"))
    kept = bob.post(f"{path}keep/", {"reason": "we need it"})
    assert (kept.status_code, kept.json()["detach_asked_at"]) == (200, None)
    assert alice.delete(path).status_code == 202
    assert bob.delete(path).status_code == 204


WEAK = """\
policy: {name}
default: permit
rules:
  - {{id: never, when: call.n > 3 && call.n < 2, deny: {{message: No.}}}}
  - {{id: many, when: call.n > 3, deny: {{message: No.}}}}
"""


def test_a_text_is_analysed_without_being_stored(alice, unique):
    policy = made(alice, unique)
    address = f"policies/{policy['id']}/analyse"
    told = alice.post(address, {"source": WEAK.format(**policy)})
    assert told.status_code == 200, told.content
    (finding,) = told.json()["report"]["findings"]
    assert (finding["kind"], finding["line"]) == ("unreachable", 4)
    assert told.json()["difference"] is None
    publish(alice, policy, TEXT)
    difference = alice.post(address, {"source": WEAK.format(**policy)}).json()["difference"]
    assert difference["verdict"] == "tightens"
    assert difference["examples"][0]["witness"] == {"call.n": 4}
    bad = alice.post(address, {"source": "policy: 5"})
    assert bad.status_code == 400
    assert len(alice.get(f"policies/{policy['id']}/versions/").json()["results"]) == 1


def test_the_policy_of_a_key_is_told(world, alice, unique):
    policy = made(alice, unique)
    publish(alice, policy, WEAK)
    body = {"policy": policy["id"], "tenant": str(world.tenant.id)}
    assert alice.post("attachments/", body).status_code == 201
    issued = alice.post("keys/", {"app": str(world.app.id), "name": "mine"}).json()
    told = alice.get(f"keys/{issued['id']}/policy").json()
    by_rule = {rule["rule"]: rule for rule in told["rules"] if rule["policy"] == policy["name"]}
    assert by_rule["many"]["standing"] == "depends"
    assert by_rule["many"]["words"].startswith("Where call.n > 3: Deny the call")
    assert "unreachable" in [finding["kind"] for finding in told["report"]["findings"]]


def test_no_change_of_a_text_is_lost(alice, unique):
    policy = made(alice, unique)
    address = f"policies/{policy['id']}/"
    stale = alice.get(address)["ETag"]
    unsaid = alice.post(f"{address}versions/", {"source": TEXT.format(**policy)})
    assert unsaid.status_code == 428
    assert publish(alice, policy, TEXT, if_match=stale).status_code == 201
    lost = publish(alice, policy, STRICT, if_match=stale)
    assert lost.status_code == 412
    assert lost.json()["current"]["active_version"] == 1


def test_what_is_wrong_with_a_text_has_its_place(alice, unique):
    policy = made(alice, unique)
    answer = publish(alice, policy, "policy: {name}\ndefault: maybe\n")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"].startswith("source:2:")
    for text in ("policy: other\ndefault: permit\n", "{{", "x" * 70_000, ""):
        answer = alice.post(f"policies/{policy['id']}/versions/", {"source": text}, if_match="*")
        assert answer.status_code == 400


def test_an_author_drafts_and_an_approver_releases(world, alice, unique):
    author, approver = Api(world.person("policy_author")), Api(world.person("approver"))
    policy = made(author, unique)
    assert publish(author, policy, TEXT).status_code == 201
    body = {"policy": policy["id"], "tenant": str(world.tenant.id)}
    refused = author.post("attachments/", body)
    assert (refused.status_code, refused.json()["permission"]) == (403, "policy.attach")
    assert approver.post("attachments/", body).status_code == 201
    refused = publish(author, policy, STRICT)
    assert (refused.status_code, refused.json()["permission"]) == (403, "policy.publish")
    assert publish(approver, policy, STRICT).status_code == 201


def test_the_platforms_policies_are_read_by_all_and_held_by_its_owner(world, alice, unique):
    root = Api(owner_of_all(unique))
    policy = made(root, unique)
    publish(root, policy, TEXT)
    refused = alice.post("attachments/", {"policy": policy["id"]})
    assert (refused.status_code, refused.json()["permission"]) == (403, "policy.attach")
    held = root.post("attachments/", {"policy": policy["id"]}).json()
    try:
        assert alice.get(f"attachments/{held['id']}/").status_code == 200
        refused = alice.delete(f"attachments/{held['id']}/")
        assert (refused.status_code, refused.json()["permission"]) == (403, "policy.detach")
        assert root.delete(f"policies/{policy['id']}/").status_code == 400
    finally:
        assert root.delete(f"attachments/{held['id']}/").status_code == 204
    assert root.delete(f"policies/{policy['id']}/").status_code == 204
    assert root.get(f"policies/{policy['id']}/").json()["active_version"] is None


def test_a_policy_that_has_no_text_holds_nowhere(world, alice, unique):
    policy = made(alice, unique)
    body = {"policy": policy["id"], "tenant": str(world.tenant.id)}
    assert alice.post("attachments/", body).status_code == 400
    nothing = "018f2f9e-0000-7000-8000-000000000001"
    assert alice.post("attachments/", {**body, "policy": nothing}).status_code == 400
