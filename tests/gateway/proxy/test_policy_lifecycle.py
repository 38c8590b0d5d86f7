"""Versions, candidates and exemptions on live traffic: in force on every worker within a second."""

import datetime
import time

import pytest

from gateway.calls.explanation import explain
from policies.models import Policy, PolicyVersion
from policies.pdp.rollout import bucket
from policies.services.activations import (
    policy_activate,
    policy_rollback,
    policy_version_freeze,
)
from policies.services.exemptions import exemption_grant, exemption_revoke
from policies.services.rollouts import (
    rollout_promote,
    rollout_start,
    rollout_stop,
    rollout_update,
)
from policies.services.schedules import schedule_create, schedule_perform
from tenants.services.keys import virtual_key_issue
from tests import books, estate
from tests.stack import Gateway, eventually

BOUND_S = 1.0
OPEN = "policy: {name}\ndefault: permit\nrules: []\n"
STRICT = """\
policy: {name}
default: permit
rules:
  - {id: no-talk, when: call.messages > 0, deny: {message: "No talk."}}
"""
TALKATIVE = """\
policy: {name}
default: permit
rules:
  - {id: short, phase: answer, when: answer.bytes > 0, deny: {message: "Nothing to say."}}
"""


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(workers=2) as gateway:
        yield gateway


class House:
    """A tenant under one policy, with ways to change what of it is in force."""

    def __init__(self, gateway, source):
        self.gateway = gateway
        self.estate = estate.estate(estate.route((estate.simulated(), "simulated")), policy=source)
        self.policy = Policy.objects.get(attachments__tenant=self.estate.tenant)
        self.tenant = self.estate.tenant

    def freeze(self, source):
        text = source.replace("{name}", self.policy.name)
        return policy_version_freeze(actor=estate.ACTOR, policy=self.policy, source=text)

    def exempt(self, lasts_s, **terms):
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=lasts_s)
        return exemption_grant(
            actor=estate.ACTOR,
            tenant=self.tenant,
            name=estate.name("exemption"),
            rules=[f"{self.policy.name}/no-talk"],
            expires_at=ends,
            reason="a migration",
            **terms,
        )

    def key(self):
        return virtual_key_issue(
            actor=estate.ACTOR, app=self.estate.app, name="more", pepper=estate.pepper()
        )

    def ask(self, secret=None):
        """Ask once on a connection of its own; return the status and what served."""
        answer = self.gateway.chat(secret or self.estate.secret, self.estate.model, max_tokens=5)
        return answer.status_code, answer.headers.get("x-gatehouse-policy", "")

    def statuses(self, times=8):
        return {self.ask()[0] for _ in range(times)}

    def in_force(self, status):
        """Publish, and see every worker follow within the bound."""
        assert self.estate.publish()
        began = time.monotonic()
        eventually(lambda: self.statuses() == {status}, BOUND_S + 1)
        assert time.monotonic() - began < BOUND_S + 1
        assert self.statuses() == {status}

    def bodies(self, kind):
        return [row.body for row in books.records(self.estate, kind)]

    def explained(self):
        """Explain every call of the tenant from its records."""
        rows = books.records(self.estate)
        versions = PolicyVersion.objects.filter(policy=self.policy).select_related("policy")
        return [
            explain([row for row in rows if row.call_id == call], versions)
            for call in {row.call_id for row in rows}
        ]


def all_alike(house):
    """Judged again, every call ends as it did."""
    found = house.explained()
    assert found
    for each in found:
        assert each.unbuilt == ""
        assert [ruling.differs for ruling in each.rulings] == [""] * len(each.rulings)
    return found


def test_activation_and_rollback_are_in_force_on_every_worker_within_the_bound(gateway):
    house = House(gateway, OPEN)
    assert house.statuses() == {200}
    first = Policy.objects.select_related("active").get(pk=house.policy.pk).active
    policy_activate(actor=estate.ACTOR, version=house.freeze(STRICT))
    house.in_force(403)
    policy_rollback(actor=estate.ACTOR, version=first)
    house.in_force(200)
    assert house.ask() == (200, f"{house.policy.name}@1")
    all_alike(house)


def test_a_scheduled_version_is_in_force_within_the_bound(gateway):
    house = House(gateway, OPEN)
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=0.5)
    schedule = schedule_create(
        actor=estate.ACTOR, policy=house.policy, version=house.freeze(STRICT), at=at
    )
    assert house.statuses(2) == {200}
    eventually(lambda: schedule_perform(actor=estate.ACTOR, schedule=schedule))
    house.in_force(403)


def test_an_exemption_holds_within_the_bound_and_ends_by_itself(gateway):
    """No revision, no message and no process is needed for its end: the instant alone ends it."""
    house = House(gateway, STRICT)
    assert house.statuses() == {403}
    exemption = house.exempt(6)
    house.in_force(200)
    eventually(lambda: house.statuses(4) == {403}, 10)
    assert datetime.datetime.now(datetime.UTC) >= exemption.expires_at
    (admitted, *_) = house.bodies("admitted")
    assert admitted["decision"]["exemptions"] == [exemption.name]
    assert [each["name"] for each in admitted["exempting"]] == [exemption.name]
    last = house.bodies("refused")[-1]
    assert "exemptions" not in last["decision"]
    assert last["policy_hash"] == admitted["policy_hash"]
    found = all_alike(house)
    assert {each.exemptions for each in found} == {(), (exemption.name,)}
    outcomes = {rule.outcome for each in found for rule in each.rulings[0].rules}
    assert outcomes == {"exempt", "matched"}


def test_an_exemption_is_for_whom_it_names_and_can_be_revoked(gateway):
    house = House(gateway, STRICT)
    key, issued = house.key()
    exemption = house.exempt(600, keys=[key.public_id])
    assert house.estate.publish()
    eventually(lambda: {house.ask(issued.secret)[0] for _ in range(6)} == {200}, BOUND_S + 1)
    assert house.statuses() == {403}
    exemption_revoke(actor=estate.ACTOR, exemption=exemption)
    assert house.estate.publish()
    eventually(lambda: {house.ask(issued.secret)[0] for _ in range(6)} == {403}, BOUND_S + 1)
    all_alike(house)


def test_a_shadow_changes_nothing_and_tells_what_it_would(gateway):
    house = House(gateway, OPEN)
    rollout_start(actor=estate.ACTOR, policy=house.policy, version=house.freeze(STRICT))
    assert house.estate.publish()
    eventually(lambda: any("rollout" in body for body in asked(house)), 5)
    assert {house.ask() for _ in range(6)} == {(200, f"{house.policy.name}@1")}
    told = house.bodies("admitted")[-1]["rollout"]
    assert (told["served"], told["change"], told["percent"]) == ("active", "newly_denied", 0)
    assert told["other"]["determining"] == [["tenant", house.policy.name, "no-talk"]]
    assert told["other_policies"] == [f"{house.policy.name}@2"]
    found = [each.compared[0] for each in all_alike(house) if each.compared]
    assert {each.said for each in found} == {"denies what the active version permits"}
    with gateway.client() as client:
        metrics = client.get("/metrics").text
    assert 'change="newly_denied",phase="request",served="active"' in metrics


def asked(house):
    house.statuses(2)
    return house.bodies("admitted")


def test_a_shadow_judges_answers_too(gateway):
    house = House(gateway, OPEN)
    rollout_start(actor=estate.ACTOR, policy=house.policy, version=house.freeze(TALKATIVE))
    assert house.estate.publish()
    eventually(lambda: any("rollout" in body for body in asked(house)), 5)
    assert house.statuses() == {200}
    last = eventually(lambda: [body for body in house.bodies("completed") if "rollout" in body])
    assert last[-1]["rollout"]["change"] == "newly_denied"
    assert last[-1]["decision"]["effect"] == "permit"
    all_alike(house)


def test_a_canary_serves_its_share_of_the_keys_and_then_all(gateway):
    house = House(gateway, OPEN)
    keys = {key.public_id: issued.secret for key, issued in (house.key() for _ in range(12))}
    ranks = sorted(bucket(name) for name in keys)
    percent = ranks[5] + 1
    names = [f"{house.policy.name}@{number}" for number in (1, 2)]

    def served():
        return {name: house.ask(secret) for name, secret in keys.items()}

    def expected(share):
        return {name: (403, "") if bucket(name) < share else (200, names[0]) for name in keys}

    rollout = rollout_start(
        actor=estate.ACTOR, policy=house.policy, version=house.freeze(STRICT), percent=percent
    )
    assert len(set(expected(percent).values())) == 2
    assert house.estate.publish()
    eventually(lambda: served() == expected(percent), BOUND_S + 4)
    assert served() == expected(percent)
    rollout_update(actor=estate.ACTOR, rollout=rollout, percent=0)
    assert house.estate.publish()
    eventually(lambda: served() == expected(0), BOUND_S + 4)
    rollout_update(actor=estate.ACTOR, rollout=rollout, percent=percent)
    rollout_promote(actor=estate.ACTOR, rollout=rollout)
    house.in_force(403)
    found = all_alike(house)
    sides = {each.compared[0].served for each in found if each.compared}
    assert sides == {"active", "candidate"}


def test_who_is_served_the_candidate_is_told_so(gateway):
    house = House(gateway, OPEN)
    version = house.freeze("policy: {name}\ndefault: permit\ndescription: new\nrules: []\n")
    rollout = rollout_start(actor=estate.ACTOR, policy=house.policy, version=version, percent=100)
    assert house.estate.publish()
    eventually(lambda: house.ask() == (200, f"{house.policy.name}@2"), BOUND_S + 1)
    body = house.bodies("admitted")[-1]
    assert body["policies"] == [f"{house.policy.name}@2"]
    assert body["policy_hash"] == body["rollout"]["candidate"]
    rollout_stop(actor=estate.ACTOR, rollout=rollout)
    assert house.estate.publish()
    eventually(lambda: house.ask() == (200, f"{house.policy.name}@1"), BOUND_S + 1)
    all_alike(house)
