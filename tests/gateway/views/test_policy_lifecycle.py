"""The life cycle in the console: drafts, reviews, versions that come back, rollouts, exemptions."""

import datetime
import html
import re

import pytest
from django.utils import timezone

from policies.models import (
    Draft,
    Emergency,
    Exemption,
    Policy,
    Review,
    ReviewRule,
    Rollout,
    Schedule,
)
from policies.services.emergencies import policy_emergency_expire
from policies.services.policies import policy_publish
from policies.services.reviews import review_rule_set
from tests.gateway.views.reading import body, signed_in, text
from tests.policies.lifecycle import BODY, OPERATOR, STRICT, House, unique

pytestmark = pytest.mark.usefixtures("db")

REASON = {"reason": "because"}
READ = REASON | {"revision": 2}  # the edit that `drafted` makes
TWO, THREE = "description: Two.\n", "description: Three.\n"


@pytest.fixture
def house():
    return House()


def browser(house, *roles):
    return signed_in(house.user(*roles))


def drafted(house, client, body_text=STRICT):
    address = f"/policies/{house.policy.id}/draft"
    client.post(f"{address}/begin")
    given = {"source": house.text(body_text), "revision": 1}
    assert client.post(address, given).status_code == 302
    return address


def soon():
    return (timezone.now() + datetime.timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")


def test_two_editors_both_see_their_words(house):
    ann, bob = browser(house, "policy_author"), browser(house, "policy_author")
    address = f"/policies/{house.policy.id}/draft"
    assert "There is no draft" in text(ann.get(address))
    ann.post(f"{address}/begin")
    assert "has a draft already" in text(bob.post(f"{address}/begin", follow=True))
    first = {"source": house.text("# of ann\ndefault: permit\n"), "revision": 1}
    assert "The draft is saved." in text(ann.post(address, first, follow=True))
    second = {"source": house.text("# of bob\ndefault: permit\n"), "revision": 1}
    answer = bob.post(address, second)
    assert answer.status_code == 409
    assert "has edited the draft meanwhile" in text(answer)
    for word in ("# of ann", "# of bob"):
        assert word in body(answer)
    assert "# of ann" in Draft.objects.get(policy=house.policy).source


def fields(answer):
    """Return what the form of a text would send as it stands."""
    page = body(answer)
    names = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    area = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)[1]
    return {name: html.unescape(value) for name, value in names} | {"source": html.unescape(area)}


def test_an_edit_that_comes_too_late_is_saved_with_the_other_one(house):
    ann, bob = browser(house, "policy_author"), browser(house, "policy_author")
    address = f"/policies/{house.policy.id}/draft"
    ann.post(f"{address}/begin")
    read = fields(bob.get(address))
    begun = fields(ann.get(address))
    ann.post(address, begun | {"source": "# of ann\n" + begun["source"]})
    late = bob.post(address, read | {"source": read["source"] + "# of bob\n"})
    assert late.status_code == 409
    assert "they touch no line together" in text(late)
    bob.post(address, fields(late))
    source = Draft.objects.get(policy=house.policy).source
    assert source == "# of ann\n" + house.first.source + "# of bob\n"


def overtaken(house, body_text):
    """Bring another version into force beside the draft."""
    return policy_publish(actor=OPERATOR, policy=house.policy, source=house.text(body_text))


def test_a_draft_takes_over_what_became_active_meanwhile(house):
    client = browser(house, "policy_author", "approver")
    address = drafted(house, client, STRICT)
    assert client.get(f"{address}/rebase", follow=True).redirect_chain[-1][0] == address
    overtaken(house, TWO + BODY)
    assert "take the active version over" in text(client.get(address))
    page = client.get(f"{address}/rebase")
    told = text(page)
    for part in ("What version 2 changed", "What the draft changed", "began from version 1"):
        assert part in told
    assert client.post(f"{address}/publish", READ).status_code == 422
    assert client.post(f"{address}/rebase", {"source": ""}).status_code == 422
    assert client.post(f"{address}/rebase", fields(page))["Location"] == address
    draft = Draft.objects.get(policy=house.policy)
    assert draft.source == house.text(TWO + STRICT)
    assert draft.base_id == house.version(2).pk
    client.post(f"{address}/publish", READ | {"revision": 3})
    assert house.active.number == 3


def test_nothing_is_lost_where_a_rebase_comes_too_late(house):
    ann, bob = browser(house, "policy_author"), browser(house, "policy_author")
    address = drafted(house, ann, STRICT)
    overtaken(house, TWO + BODY)
    page = ann.get(f"{address}/rebase")
    overtaken(house, THREE + BODY)
    mine = fields(page)
    late = ann.post(f"{address}/rebase", mine | {"source": mine["source"] + "# of ann\n"})
    assert (late.status_code, "nothing was saved" in text(late)) == (409, True)
    edited = fields(bob.get(address))
    bob.post(address, edited | {"source": "# of bob\n" + edited["source"]})
    again = ann.post(f"{address}/rebase", fields(late))
    assert again.status_code == 409
    whole = house.text(THREE + STRICT)
    assert ann.post(f"{address}/rebase", fields(again)).status_code == 302
    draft = Draft.objects.get(policy=house.policy)
    assert (draft.source, draft.base_id) == (f"# of bob\n{whole}# of ann\n", house.active.pk)


def test_s2_a_draft_is_rebased_by_whoever_may_edit_it(house):
    address = drafted(house, browser(house, "policy_author"))
    assert browser(house, "auditor").get(f"{address}/rebase").status_code == 403
    assert browser(House(), "owner").get(f"{address}/rebase").status_code == 404


def test_an_owner_says_where_reviews_are_wanted(house):
    owner, approver = browser(house, "owner"), browser(house, "approver")
    told = text(owner.get("/reviews/rules"))
    assert f"{house.tenant.name} not wanted" in told
    form = {"tenant": str(house.tenant.id), **REASON}
    assert approver.post("/reviews/rules/new", form).status_code == 403
    assert 'value="platform"' not in body(owner.get("/reviews/rules/new"))
    assert owner.post("/reviews/rules/new", form).status_code == 302
    rule = ReviewRule.objects.get(tenant=house.tenant)
    assert owner.post("/reviews/rules/new", form).status_code == 422
    for client in (owner, approver):
        assert f"{house.tenant.name} one approval" in text(client.get("/reviews/rules"))
    assert "Admin, Approver, Owner" in told
    end = f"/reviews/rules/{rule.id}/end"
    assert approver.post(end, REASON).status_code == 403
    assert browser(House(), "owner").post(end, REASON).status_code == 404
    owner.post(end, REASON)
    assert not ReviewRule.objects.filter(tenant=house.tenant).exists()


@pytest.mark.usefixtures("no_owner")
def test_who_may_approve_is_named_and_too_few_are_told(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    ann = house.user("owner")
    page = text(signed_in(ann).get("/reviews/rules"))
    assert f"one approval {ann.email} too few" in page
    second = house.user("approver")
    page = text(signed_in(ann).get("/reviews/rules"))
    assert second.email in page
    assert "too few" not in page
    assert "you may not see who has which role" in text(signed_in(second).get("/reviews/rules"))


def test_a_text_is_checked_on_demand_with_links_to_its_lines(house):
    client = browser(house, "policy_author")
    address = f"/policies/{house.policy.id}/draft/check"
    wrong = {"source": house.text("rules:\n  - {id: r, wehn: true}\n")}
    answer = client.post(address, wrong, headers={"HX-Request": "true"})
    assert "<html" not in body(answer)
    assert re.search(r'href="#P3">Line 3, column 13</a>', body(answer))
    assert 'id="P3"' in body(answer)
    tests = "tests:\n  - {name: nothing passes, given: {}, expect: {deny: default}}\n"
    whole = client.post(address, {"source": house.text("default: permit\n" + tests)})
    assert "<html" in body(whole)
    assert "fails nothing passes line 4: expected deny by default, got permit" in text(whole)


def test_a_text_is_reviewed_by_somebody_else_and_published(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    author, approver = browser(house, "policy_author"), browser(house, "approver")
    address = drafted(house, author)
    refused = approver.post(f"{address}/publish", READ)
    assert (refused.status_code, "a second person has to approve" in text(refused)) == (422, True)
    author.post(f"{address}/review", READ | {"reason": "please"})
    review = Review.objects.get(policy=house.policy)
    assert "please" in text(approver.get("/reviews"))
    assert "waits for a second person" in text(approver.get(f"/policies/{house.policy.id}"))
    page = f"/reviews/{review.id}"
    assert "You had a hand in this text" in text(author.get(page))
    said = author.post(page, {"decision": "approve", "reason": "mine"})
    assert said.status_code == 422
    assert "no-tools" in text(approver.get(page))
    silent = approver.post(page, {"decision": "reject", "reason": ""})
    assert "say what has to be different" in text(silent)
    approver.post(page, {"decision": "approve", "reason": "good"})
    assert "good" in text(approver.get(page))
    done = approver.post(f"{address}/publish", READ, follow=True)
    assert f"Version 2 of {house.policy.name} is active." in text(done)


def test_an_emergency_is_told_until_it_is_reviewed(house):
    admin = browser(house, "admin")
    address = drafted(house, admin)
    assert browser(house, "approver").get(f"{address}/emergency").status_code == 403
    assert admin.post(f"{address}/emergency", {"reason": ""}).status_code == 422
    for hours in ("", "0", "73"):
        refused = admin.post(f"{address}/emergency", READ | {"hours": hours})
        assert refused.status_code == 422
    admin.post(f"{address}/emergency", READ | {"hours": 4})
    page = f"/policies/{house.policy.id}"
    told = text(admin.get(page))
    assert "came into force in an emergency and has not been reviewed" in told
    assert "unless somebody else approves it, version 1 comes back" in told
    assert house.active.number == 2
    review = f"/reviews/{Review.objects.get(policy=house.policy).id}"
    assert "version 1 comes back" in text(admin.get(review))
    emergency = Emergency.objects.get(policy=house.policy)
    Emergency.objects.update(expires_at=timezone.now())
    policy_emergency_expire(actor=OPERATOR, emergency=emergency)
    assert "; version 1 came back" in text(admin.get(page))
    assert "Nobody approved it in time" in text(admin.get(review))


def test_a_version_comes_back_is_scheduled_and_tried(house):
    client = browser(house, "admin")
    address = drafted(house, client)
    client.post(f"{address}/publish", READ)
    versions = f"/policies/{house.policy.id}/versions"
    assert "Roll back" in text(client.get(f"{versions}/1/activate"))
    client.post(f"{versions}/1/activate", REASON)
    assert house.active.number == 1
    past = {"at": "2001-01-01T00:00", **REASON}
    assert client.post(f"{versions}/2/schedule", past).status_code == 422
    client.post(f"{versions}/2/schedule", {"at": soon(), **REASON})
    schedule = Schedule.objects.get(policy=house.policy)
    assert "comes into force" in text(client.get(f"/policies/{house.policy.id}"))
    client.post(f"/schedules/{schedule.id}/cancel", REASON)
    client.post(f"{versions}/2/try", {"percent": 0, **REASON})
    rollout = Rollout.objects.get(policy=house.policy)
    assert "none, in shadow" in text(client.get(f"/rollouts/{rollout.id}"))
    client.post(f"/rollouts/{rollout.id}/percent", {"percent": 10, **REASON})
    assert "10 %" in text(client.get(f"/rollouts/{rollout.id}"))
    client.post(f"/rollouts/{rollout.id}/promote", REASON)
    assert house.active.number == 2
    answer = client.post(f"/rollouts/{rollout.id}/stop", REASON)
    assert "it is promoted already" in text(answer)


def test_an_exemption_is_granted_listed_and_revoked(house):
    client = browser(house, "approver")
    terms = {
        "tenant": str(house.tenant.id),
        "name": unique("exemption"),
        "rules": f"{house.policy.name}/no-stream",
        "apps": "helpdesk",
        "expires_at": soon(),
        **REASON,
    }
    answer = client.post("/exemptions/new", terms)
    assert (answer.status_code, "did you mean" in text(answer)) == (422, True)
    right = terms | {"rules": f"{house.policy.name}/no-streams"}
    assert client.post("/exemptions/new", right).status_code == 302
    assert "holds" in text(client.get("/exemptions"))
    exemption = Exemption.objects.get(name=terms["name"])
    stranger = browser(House(), "approver")
    assert terms["name"] not in text(stranger.get("/exemptions"))
    assert stranger.get(f"/exemptions/{exemption.id}/revoke").status_code == 404
    client.post(f"/exemptions/{exemption.id}/revoke", REASON)
    assert "revoked" in text(client.get("/exemptions"))


def test_an_exemption_waits_for_somebody_else_where_reviews_are_wanted(house):
    review_rule_set(actor=OPERATOR, tenant=house.tenant)
    ann, bob = browser(house, "approver"), browser(house, "approver")
    terms = {
        "tenant": str(house.tenant.id),
        "name": unique("exemption"),
        "rules": f"{house.policy.name}/no-streams",
        "expires_at": soon(),
        **REASON,
    }
    told = text(ann.post("/exemptions/new", terms, follow=True))
    assert "holds once somebody else approves it" in told
    assert "waits for a second person" in told
    assert "You asked for it" in told
    assert terms["name"] in text(bob.get("/reviews"))
    address = f"/exemptions/{Exemption.objects.get(name=terms['name']).id}/approve"
    own = ann.post(address, {"reason": ""})
    assert (own.status_code, "does not approve it" in text(own)) == (422, True)
    assert "because" in text(bob.get(address))
    assert browser(house, "policy_author").get(address).status_code == 403
    done = text(bob.post(address, {"reason": ""}, follow=True))
    assert "holds within a second" in done
    assert "approved by" in done
    assert terms["name"] not in text(bob.get("/reviews"))


def test_a_policy_begins_with_a_template(house):
    client, name = browser(house, "policy_author"), unique("fresh")
    assert "PII careful" in text(client.get("/policies/new"))
    answer = client.post("/policies/new", {"name": name, "template": "pii-careful"})
    policy = Policy.objects.get(name=name)
    assert answer["Location"] == f"/policies/{policy.id}/draft"
    assert f"policy: {name}" in body(client.get(answer["Location"]))
    client.post(f"/policies/{policy.id}/draft/discard", REASON)
    assert not Draft.objects.filter(policy=policy).exists()


def test_s2_what_becomes_of_a_strangers_policy_is_not_there(house):
    drafted(house, browser(house, "policy_author"))
    stranger = browser(House(), "owner")
    policy = f"/policies/{house.policy.id}"
    for path in ("draft", "draft/review", "draft/publish", "versions/1/activate", "versions/1/try"):
        assert stranger.get(f"{policy}/{path}").status_code == 404
    assert house.policy.name not in text(stranger.get("/reviews"))


def test_a_call_tells_what_exempted_it_and_what_the_other_version_says(world, client):
    again = world.call()
    decided = again.decided()
    told = {
        **decided,
        "decision": {**decided["decision"], "exemptions": ["for-a-day"]},
        "rollout": {
            "name": "r-1",
            "percent": 0,
            "served": "active",
            "change": "newly_denied",
            "other_policies": ["house@2"],
            "other": {"effect": "deny", "determining": [["tenant", "house", "no-cards"]]},
        },
    }
    again.decided = lambda: told
    again.admitted().completed()
    page = text(client.get(f"/calls/{again.id}"))
    assert "Exempted by for-a-day" in page
    assert "the candidate denies what the active version permits" in page
    assert "says deny by house/no-cards" in page


@pytest.mark.parametrize("door", ["publish", "emergency", "review"])
def test_what_was_edited_since_the_form_was_read_is_not_released(house, door):
    admin, other = browser(house, "admin"), browser(house, "policy_author")
    address = drafted(house, admin)
    form = body(admin.get(f"{address}/{door}"))
    assert re.search(r'name="revision" value="2"', form)
    later = {"source": house.text("default: permit\n"), "revision": 2}
    assert other.post(address, later).status_code == 302
    assert admin.post(f"{address}/{door}", REASON | {"hours": 1}).status_code == 422
    answer = admin.post(f"{address}/{door}", READ | {"hours": 1})
    assert answer.status_code == 422
    assert "has edited the draft since you have read it" in text(answer)
    assert house.active == house.first
    assert not Review.objects.filter(policy=house.policy).exists()
    assert Draft.objects.get(policy=house.policy).source == later["source"]
