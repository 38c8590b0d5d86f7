"""The life cycle by the API: from a draft that two edit to a version that some keys are served."""

import datetime

import pytest
from django.utils import timezone

from audit.models import Event
from policies.models import Policy, Review, Rollout
from policies.services.reviews import review_rule_set
from tenants.models import Role
from tests.gateway.call_records import World
from tests.gateway.oauth.person import CALLBACK, code_of, consent, exchange, question, signed_in
from tests.gateway.proxy.test_policy_lifecycle import STRICT
from tests.management import OPERATOR, Api, as_itself, for_people
from tests.policies.lifecycle import House

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def house():
    return House()


def api(house, *roles):
    return Api(house.user(*roles))


def begun(house, by, **terms):
    made = by.post("drafts/", {"policy": str(house.policy.id), **terms})
    assert made.status_code == 201, made.content
    return made.json()


def edit(by, draft, text, **headers):
    return by.patch(f"drafts/{draft['id']}/", {"source": text}, **headers)


def strict(house):
    return STRICT.replace("{name}", house.policy.name)


def test_two_editors_both_keep_their_words(house):
    ann, bob = api(house, "policy_author"), api(house, "policy_author")
    draft = begun(house, ann)
    read = ann.get(f"drafts/{draft['id']}/")["ETag"]
    assert edit(ann, draft, "policy: anns\n", if_match=read).status_code == 200
    lost = edit(bob, draft, "policy: bobs\n", if_match=read)
    assert lost.status_code == 409
    problem = lost.json()
    assert (problem["current"]["source"], problem["yours"]) == ("policy: anns\n", "policy: bobs\n")
    assert problem["current"]["revision"] == 2
    again = edit(bob, draft, problem["yours"], if_match=lost["ETag"])
    assert (again.status_code, again.json()["revision"]) == (200, 3)
    unsaid = bob("patch", f"drafts/{draft['id']}/", {"source": "x"})
    assert unsaid.status_code == 428


def test_a_text_is_checked_and_tested_without_being_stored(house):
    author = api(house, "policy_author")
    told = author.post(
        "drafts/validate/", {"source": "policy: p\nrules:\n  - {id: r, wehn: true}\n"}
    )
    body = told.json()
    assert (told.status_code, body["ok"]) == (200, False)
    (misspelt,) = [problem for problem in body["problems"] if "wehn" in problem["message"]]
    assert (misspelt["line"], misspelt["column"]) == (3, 13)
    assert "when" in misspelt["hint"]
    text = "policy: p\ndefault: permit\nrules:\n  - {id: r, when: true, route: nowhere-at-all}\n"
    (problem,) = author.post("drafts/validate/", {"source": text}).json()["problems"]
    assert 'there is no model "nowhere-at-all"' in problem["message"]
    failing = "policy: p\ntests:\n  - {name: t, given: {}, expect: {permit: true}}\n"
    assert author.post("drafts/validate/", {"source": failing}).json()["ok"]
    tested = author.post("drafts/test/", {"source": failing}).json()
    assert [(test["name"], test["passed"]) for test in tested["tests"]] == [("t", False)]
    assert not tested["ok"]
    assert not Policy.objects.filter(name="p").exists()


def test_a_text_goes_from_a_draft_through_a_review_into_force_and_back(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    author, approver = api(house, "policy_author"), api(house, "approver")
    draft = begun(house, author, source=strict(house))
    address = f"drafts/{draft['id']}/"
    refused = approver.post(f"{address}publish/")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "review"
    review = author.post(f"{address}review/", {"reason": "please"}).json()
    assert author.post(f"reviews/{review['id']}/approve/").json()["permission"] == "review.approve"
    assert approver.post(f"reviews/{review['id']}/reject/", {}).status_code == 400
    done = approver.post(f"reviews/{review['id']}/approve/", {"reason": "good"})
    assert (done.json()["state"], done.json()["comment"]) == ("approved", "good")
    version = approver.post(f"{address}publish/")
    assert (version.status_code, version.json()["number"]) == (201, 2)
    assert author.get(address).status_code == 404
    policy = f"policies/{house.policy.id}/"
    assert approver.post(f"{policy}rollback/", {"version": 1}).json()["active_version"] == 1
    assert approver.post(f"{policy}activate/", {"version": 2}).json()["active_version"] == 2
    assert approver.post(f"{policy}activate/", {"version": 9}).status_code == 400
    kinds = [row["kind"] for row in approver.get(f"{policy}activations/").json()["results"]]
    assert kinds == ["activate", "rollback", "publish", "attach", "publish"]


def test_nobody_approves_what_they_wrote_by_an_application_either(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    both = api(house, "policy_author", "approver")
    draft = begun(house, both, source=strict(house))
    review = both.post(f"drafts/{draft['id']}/review/").json()
    for caller in (both, as_itself(house.tenant, Role.OWNER)):
        refused = caller.post(f"reviews/{review['id']}/approve/")
        assert refused.status_code == 403, refused.content
    assert Review.objects.get(pk=review["id"]).state == "open"
    bot = as_itself(house.tenant, Role.POLICY_AUTHOR)
    edited = edit(bot, draft, f"{strict(house)}# by a bot\n")
    assert edited.status_code == 200
    assert Review.objects.get(pk=review["id"]).state == "void"


def test_nor_through_an_application_that_acts_for_them(house):
    user = house.user("policy_author", "approver")
    draft = begun(house, Api(user), source=strict(house))
    review = Api(user).post(f"drafts/{draft['id']}/review/").json()
    made, secret = for_people(house.tenant, CALLBACK)
    scopes = "reviews:read reviews:write"
    code = code_of(consent(signed_in(user), question(made, scope=scopes), allow="yes"))
    through = Api(token=exchange(made, secret, code).json()["access_token"])
    assert through.get(f"reviews/{review['id']}/").status_code == 200
    assert through.post(f"reviews/{review['id']}/approve/").status_code == 403
    assert api(house, "approver").post(f"reviews/{review['id']}/approve/").status_code == 200


def test_an_emergency_is_marked_and_stays_open(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    admin, approver = api(house, "admin"), api(house, "approver")
    draft = begun(house, admin, source=strict(house))
    address = f"drafts/{draft['id']}/emergency/"
    assert (
        approver.post(address, {"reason": "x", "hours": 1}).json()["permission"]
        == "policy_emergency.publish"
    )
    assert admin.post(address, {}).status_code == 400
    for hours in (None, 0, 73):
        assert admin.post(address, {"reason": "a leak", "hours": hours}).status_code == 400
    assert admin.post(address, {"reason": "a leak", "hours": 4}).json()["number"] == 2
    (item,) = approver.get(f"reviews/?policy={house.policy.id}&state=open").json()["results"]
    assert (item["afterwards"], item["version"], item["request"]) == (True, 2, "a leak")
    event = Event.objects.filter(action="policy_emergency.publish").last()
    assert event.reason == "a leak"
    assert admin.post(f"reviews/{item['id']}/approve/").status_code == 403
    assert (item["emergency"]["state"], item["emergency"]["before_version"]) == ("running", 1)
    approved = approver.post(f"reviews/{item['id']}/approve/").json()
    assert (approved["state"], approved["emergency"]["state"]) == ("approved", "approved")


def test_a_version_is_frozen_scheduled_and_cancelled(house):
    approver = api(house, "approver")
    policy = f"policies/{house.policy.id}/"
    author = api(house, "policy_author")
    frozen = author.post(f"{policy}freeze/", {"source": strict(house)})
    assert (frozen.status_code, frozen.json()["number"]) == (201, 2)
    assert approver.get(policy).json()["active_version"] == 1
    at = (timezone.now() + datetime.timedelta(hours=1)).isoformat()
    terms = {"policy": str(house.policy.id), "version": 2, "at": at}
    made = approver.post("schedules/", terms)
    assert (made.status_code, made.json()["state"]) == (201, "waiting")
    assert approver.post("schedules/", terms).status_code == 400
    assert approver.post("schedules/", {**terms, "version": 7}).status_code == 400
    cancelled = approver.post(f"schedules/{made.json()['id']}/cancel/")
    assert cancelled.json()["state"] == "cancelled"


def test_a_candidate_is_started_widened_and_promoted(house):
    approver = api(house, "approver")
    author = api(house, "policy_author")
    author.post(f"policies/{house.policy.id}/freeze/", {"source": strict(house)})
    made = approver.post("rollouts/", {"policy": str(house.policy.id), "version": 2})
    assert (made.status_code, made.json()["percent"]) == (201, 0)
    address = f"rollouts/{made.json()['id']}/"
    assert approver.patch(address, {"percent": 25}).json()["percent"] == 25
    assert approver.patch(address, {"percent": 101}).status_code == 400
    assert approver.get(f"{address}drift/").json()["permission"] == "record.read"
    assert api(house, "auditor").get(f"{address}drift/").json()["counts"] == []
    assert approver.post(f"{address}promote/").json()["state"] == "promoted"
    assert approver.post(f"{address}stop/").status_code == 400
    assert approver.get(f"policies/{house.policy.id}/").json()["active_version"] == 2


def test_drift_is_counted_from_the_records(house, unique):
    world = World(unique)
    world.tenant, world.app = house.tenant, house.app
    rollout = Rollout.objects.create(policy=house.policy, version=house.first, author="t")
    told = {
        "name": str(rollout.id),
        "percent": 0,
        "served": "active",
        "active": "a",
        "candidate": "b",
        "other_policies": [],
    }
    other = {"effect": "deny", "determining": [["tenant", house.policy.name, "no-talk"]]}
    for change in ("same", "newly_denied", "newly_denied"):
        call = world.call().admitted()
        more = {} if change == "same" else {"other": other}
        row = call.rows[0]
        row.body["rollout"] = {**told, "change": change, **more}
        row.pk = (row.day, row.call_id, 2, row.kind)
        row.attempt = 2
        row.save(force_insert=True)
    shown = api(house, "auditor").get(f"rollouts/{rollout.id}/drift/").json()
    counts = {row["change"]: row["calls"] for row in shown["counts"]}
    assert counts == {"newly_denied": 2, "same": 1}
    assert (shown["complete"], shown["records"]) == (True, 6)
    assert [row["rules"] for row in shown["examples"]] == [[f"{house.policy.name}/no-talk"]] * 2
    stranger = Api(World(unique).person("auditor"))
    assert stranger.get(f"rollouts/{rollout.id}/drift/").status_code == 404


def test_an_exemption_is_granted_and_revoked(house):
    approver = api(house, "approver")
    terms = {
        "tenant": str(house.tenant.id),
        "name": "for-a-day",
        "rules": [f"{house.policy.name}/no-streams"],
        "expires_at": (timezone.now() + datetime.timedelta(days=1)).isoformat(),
        "reason": "a migration",
        "apps": ["helpdesk"],
    }
    assert approver.post("exemptions/", {**terms, "reason": ""}).status_code == 400
    misspelt = approver.post("exemptions/", {**terms, "rules": [f"{house.policy.name}/no-stream"]})
    assert "did you mean" in misspelt.json()["errors"][0]["message"]
    assert approver.post("exemptions/", {**terms, "tenant": None}).status_code == 403
    made = approver.post("exemptions/", terms)
    assert made.status_code == 201, made.content
    revoked = approver.post(f"exemptions/{made.json()['id']}/revoke/")
    assert revoked.json()["revoked_at"] is not None
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    waiting = approver.post("exemptions/", {**terms, "name": "again"}).json()
    assert (waiting["holds_since"], waiting["approver"]) == (None, "")
    approve = f"exemptions/{waiting['id']}/approve/"
    assert approver.post(approve).status_code == 403
    other = house.user("approver")
    assert Api(other).post(approve).json()["approver"] == other.email


def test_policies_leave_and_come_and_begin_with_a_template(house, unique):
    author = api(house, "policy_author")
    exported = author.get(f"policies/{house.policy.id}/export/").json()
    assert (exported["name"], exported["active_version"]) == (house.policy.name, 1)
    assert [version["number"] for version in exported["versions"]] == [1]
    name = unique("moved")
    text = exported["text"].replace(house.policy.name, name)
    made = author.post("policies/import/", {"source": text})
    assert made.status_code == 201, made.content
    assert author.get(f"drafts/{made.json()['id']}/").json()["source"] == text
    wrong = author.post("policies/import/", {"source": "policy: x\nrules: 5\n"})
    assert wrong.json()["errors"][0]["field"] == "source:2:8"
    names = [row["name"] for row in author.get("policies/templates/").json()["results"]]
    assert "pii-careful" in names
    policy = author.post("policies/", {"name": unique("new")}).json()
    draft = author.post("drafts/", {"policy": policy["id"], "template": "no-secrets"}).json()
    assert draft["source"].startswith(f"policy: {policy['name']}\n")
    assert author.post(f"drafts/{draft['id']}/publish/").json()["number"] == 1
    unknown = author.post("drafts/", {"policy": policy["id"], "template": "none"})
    assert unknown.json()["errors"][0]["field"] == "template"
