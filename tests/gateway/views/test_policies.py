"""Policies: their versions and differences, publishing, and where they hold."""

import re

import pytest

from audit.models import Event
from policies.models import Attachment, Policy
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from policies.services.reviews import review_rule_set
from tests.estate import ACTOR, OPEN
from tests.gateway.call_records import World
from tests.gateway.views.reading import body, links, signed_in, text

pytestmark = pytest.mark.usefixtures("db")

SECOND = """\
policy: {name}
default: deny
rules:
  - id: all
    when: call.bytes >= 0
    permit: true
tests:
  - name: everything passes
    given: {{}}
    expect: {{permit: true}}
"""


@pytest.fixture
def policy(unique):
    made = policy_create(actor=ACTOR, name=unique("house"))
    publish(made, OPEN)
    return made


@pytest.fixture
def approver(world):
    return signed_in(world.person("approver", "policy_author"))


def publish(policy, source):
    name = policy.name
    return policy_publish(actor=ACTOR, policy=policy, source=source.format(name=name))


def held_by(policy, tenant, app=None):
    return policy_attach(actor=ACTOR, policy=policy, tenant=tenant, app=app)


def form_of(client, policy):
    page = body(client.get(f"/policies/{policy.id}/publish"))
    return {"base": re.search(r'name="base"(?: value="(\d*)")?', page)[1] or "", "reason": "better"}


def test_the_list_says_where_each_holds(world, client, policy, unique):
    held_by(policy, world.tenant, world.app)
    empty = policy_create(actor=ACTOR, name=unique("empty"))
    told = text(client.get("/policies", {"tenant": world.tenant.name}))
    assert policy.name in told
    assert f"{world.tenant.name} / {world.app.name}" in told
    assert "version 1" in told
    assert empty.name not in told
    other = World(unique)
    asked = signed_in(other.person("auditor")).get("/policies", {"tenant": other.tenant.name})
    assert policy.name not in text(asked)


def test_a_policy_shows_text_tests_versions_and_attachments(world, client, policy):
    held_by(policy, world.tenant)
    publish(policy, SECOND)
    told = text(client.get(f"/policies/{policy.id}"))
    for part in ("Version 2, active", "everything passes", "passes", "2 default: deny"):
        assert part in told
    first = text(client.get(f"/policies/{policy.id}/versions/1"))
    assert "carries no tests" in first
    assert "Compare with the active one" in first
    assert client.get(f"/policies/{policy.id}/versions/9").status_code == 404


def test_two_versions_are_compared_in_words_first(client, policy):
    publish(policy, SECOND)
    answer = client.get(f"/policies/{policy.id}/diff", {"from": 1, "to": 2})
    told = text(answer)
    assert "Adds the rule all Changes the default to deny" in told
    assert re.search(r'class="line removed">.*?default: permit', body(answer))
    assert "Version 1 to 2" in text(client.get(f"/policies/{policy.id}/diff"))
    assert client.get(f"/policies/{policy.id}/diff?from=1&to=9").status_code == 404
    assert client.get(f"/policies/{policy.id}/diff?from=x").status_code == 400


def test_a_policy_is_created_and_its_first_text_published(approver, unique):
    name = unique("fresh")
    answer = approver.post("/policies/new", {"name": name})
    policy = Policy.objects.get(name=name)
    assert answer["Location"] == f"/policies/{policy.id}/publish"
    page = body(approver.get(answer["Location"]))
    assert f"policy: {name}" in page
    assert "No text yet" in text(approver.get(f"/policies/{policy.id}"))
    source = SECOND.format(name=name)
    given = form_of(approver, policy) | {"source": source}
    answer = approver.post(f"/policies/{policy.id}/publish", given, follow=True)
    assert f"Version 1 of {name} is active." in text(answer)
    assert "exists" in text(approver.post("/policies/new", {"name": name}))


def test_what_is_wrong_in_a_text_is_said_by_line(approver, policy):
    source = f"policy: {policy.name}\ndefault: permit\nrules:\n  - id: x\n    wen: true\n"
    given = form_of(approver, policy) | {"source": source}
    answer = approver.post(f"/policies/{policy.id}/publish", given)
    assert answer.status_code == 422
    assert re.search(r"Line 5, column \d+", text(answer))
    assert re.search(r'class="line marked" id="P5"', body(answer))
    failing = SECOND.format(name=policy.name).replace("permit: true}", "deny: all}")
    answer = approver.post(f"/policies/{policy.id}/publish", given | {"source": failing})
    assert "everything passes" in text(answer)
    assert "fails" in text(answer)
    foreign = SECOND.format(name="another")
    answer = approver.post(f"/policies/{policy.id}/publish", given | {"source": foreign})
    assert "this is the policy" in text(answer)
    without = given | {"source": SECOND.format(name=policy.name), "reason": ""}
    assert approver.post(f"/policies/{policy.id}/publish", without).status_code == 422


def test_who_was_slower_loses_no_text_and_changes_nothing(approver, policy):
    given = form_of(approver, policy) | {"source": SECOND.format(name=policy.name) + "# mine\n"}
    publish(policy, SECOND)
    answer = approver.post(f"/policies/{policy.id}/publish", given)
    assert answer.status_code == 409
    assert "Somebody else published meanwhile" in text(answer)
    assert "# mine" in body(answer)
    assert policy.versions.count() == 2


def test_an_older_version_is_published_again(approver, policy):
    publish(policy, SECOND)
    page = body(approver.get(f"/policies/{policy.id}/publish?from=1"))
    assert "default: permit" in page
    given = form_of(approver, policy) | {"source": OPEN.format(name=policy.name)}
    approver.post(f"/policies/{policy.id}/publish", given)
    policy.refresh_from_db()
    assert policy.active.number == 1


def test_a_text_that_holds_is_published_by_whom_it_concerns(world, unique, policy):
    held_by(policy, world.tenant)
    author = signed_in(world.person("policy_author"))
    assert author.get(f"/policies/{policy.id}/publish").status_code == 403
    assert "You may not publish" in body(author.get(f"/policies/{policy.id}"))
    held_by(policy, None)
    assert signed_in(world.person("owner")).get(f"/policies/{policy.id}/publish").status_code == 403
    Attachment.objects.filter(policy=policy).delete()


WEAK = """\
policy: {name}
default: permit
rules:
  - {{id: late, when: source.hour > 23, deny: {{message: Too late.}}}}
  - {{id: many, when: call.n > 3, deny: {{message: No.}}}}
"""


def test_a_text_is_looked_at_without_being_published(approver, policy):
    path = f"/policies/{policy.id}/publish"
    before = policy.versions.count()
    given = {"source": WEAK.format(name=policy.name), "preview": "yes", "base": "1", "reason": ""}
    seen = approver.post(path, given)
    assert seen.status_code == 200
    assert "late never matches" in text(seen)
    assert "It only tightens" in text(seen)
    assert "call.n = 4" in text(seen)
    wrong = text(approver.post(path, {**given, "source": "policy: 5"}))
    assert "What to mend" in wrong
    assert policy.versions.count() == before


def test_a_policy_is_attached_and_detached(world, approver, policy):
    path = f"/policies/{policy.id}/attach"
    assert "the whole platform" not in text(approver.get(path))
    given = {"scope": f"app:{world.app.id}", "reason": "a trial"}
    assert approver.post(path, given)["Location"] == f"/policies/{policy.id}"
    held = Attachment.objects.get(policy=policy)
    assert (held.tenant, held.app) == (world.tenant, world.app)
    assert "already exists" in text(approver.post(path, given))
    assert approver.post(path, {"scope": "platform", "reason": "x"}).status_code == 422
    away = f"/attachments/{held.id}/detach"
    assert "no longer judges" in text(approver.get(away))
    assert approver.post(away, {"reason": "the trial is over"}).status_code == 302
    assert not Attachment.objects.filter(policy=policy).exists()
    assert Event.objects.filter(action="policy.detach").latest("id").reason == "the trial is over"


def test_where_reviews_are_wanted_two_people_detach(unique, world, approver, policy):
    held = held_by(policy, world.tenant)
    review_rule_set(actor=ACTOR, tenant=world.tenant)
    away, page = f"/attachments/{held.id}/detach", f"/policies/{policy.id}"
    assert approver.post(away, {"reason": "too strict"}).status_code == 302
    shown = text(approver.get(page))
    assert "asked for its end" in shown
    assert "You asked for it: somebody else confirms it." in shown
    assert "does not confirm it" in text(approver.post(away, {"reason": "again"}))
    told = text(approver.get("/reviews"))
    assert f"{policy.name} {world.tenant.name}" in told
    assert "too strict" in told
    stranger = signed_in(World(unique).person("approver"))
    assert policy.name not in text(stranger.get("/reviews"))
    second = signed_in(world.person("approver"))
    assert "too strict" in text(second.get(away))
    assert f'href="/attachments/{held.id}/keep"' in second.get(page).content.decode()
    assert second.post(f"/attachments/{held.id}/keep", {"reason": ""}).status_code == 302
    assert "asked for its end" not in text(second.get(page))
    assert approver.post(away, {"reason": "too strict"}).status_code == 302
    assert second.post(away, {"reason": "agreed"}).status_code == 302
    assert not Attachment.objects.filter(policy=policy).exists()


def test_s2_a_strangers_policy_is_not_there(unique, world, approver, policy):
    other = World(unique)
    held = held_by(policy, other.tenant)
    for act in ("", "/publish", "/diff", "/attach", "/versions/1"):
        assert approver.get(f"/policies/{policy.id}{act}").status_code == 404
    assert approver.get(f"/attachments/{held.id}/detach").status_code == 404
    held_by(policy, world.tenant)
    shown = text(approver.get(f"/policies/{policy.id}"))
    assert other.tenant.name not in shown
    assert approver.get(f"/attachments/{held.id}/detach").status_code == 404
    assert approver.get(f"/policies/{policy.id}/publish").status_code == 403


def test_where_a_policy_holds_is_paged_beside_its_versions(world, monkeypatch):
    monkeypatch.setattr("gateway.pages.PAGE", 2)
    policy = policy_create(actor=ACTOR, name=world.unique("wide"))
    for _ in range(3):
        policy_publish(
            actor=ACTOR,
            policy=policy,
            source=OPEN.replace("{name}", policy.name) + "# " + world.unique("change"),
        )
    apps = sorted([world.app, *(world.new_app("app") for _ in range(2))], key=lambda app: app.name)
    for app in apps:
        policy_attach(actor=ACTOR, policy=policy, tenant=world.tenant, app=app)
    admin = signed_in(world.person("admin"))
    first = admin.get(f"/policies/{policy.id}?page=2")
    assert apps[0].name in text(first)
    assert apps[2].name not in text(first)
    (onward,) = [link for link in links(first) if "held=2" in link]
    assert "page=2" in onward
    second = admin.get(f"/policies/{policy.id}{onward}")
    assert apps[2].name in text(second)
    assert apps[0].name not in text(second)
    assert "3 to 3 of 3" in text(second)
