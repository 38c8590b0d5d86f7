"""Streams under two versions of a policy, and what the records of one that was cut short say."""

import pytest

from gateway.calls.explanation import explain
from policies.models import Policy, PolicyVersion
from policies.services.activations import policy_version_freeze
from policies.services.rollouts import rollout_start, rollout_update
from tests import books, estate
from tests.gateway.proxy.test_answers import DENY_ANSWERS, MASK_ANSWERS
from tests.planting import MAIL
from tests.scripted import Scripted, stream
from tests.stack import Gateway, eventually

SECRET = "AKIA" + "Q3EGWYXK5H2T7ZPM"
NO_SECRETS = """
policy: {name}
default: permit
rules:
  - id: no-secrets
    phase: answer
    when: answer.secret.count > 0
    redact: {secrets: all, method: mask}
"""
SAID = (0, {"content": f"Write to {MAIL} with "}), (0, {"content": f"{SECRET} as the key. "})


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def house(provider, policy):
    at = estate.provider(provider.base_url)
    return estate.estate(estate.route((at, "m"), price=books.PRICE), policy=policy)


def explained(home):
    """Return how each decision on a tenant's calls comes out when it is made again."""
    rows = eventually(lambda: len(books.records(home)) % 2 == 0 and books.records(home))
    versions = PolicyVersion.objects.filter(policy__attachments__tenant=home.tenant)
    return [
        ruling.differs
        for call in {row.call_id for row in rows}
        for ruling in explain([row for row in rows if row.call_id == call], versions).rulings
    ]


def test_each_key_gets_what_its_version_looks_for(gateway):
    """The versions look for different things; both are judged, and the one that holds is kept."""
    with Scripted(stream(*SAID)) as provider:
        home = house(provider, NO_SECRETS)
        policy = Policy.objects.get(attachments__tenant=home.tenant)
        source = MASK_ANSWERS.replace("{name}", policy.name)
        version = policy_version_freeze(actor=estate.ACTOR, policy=policy, source=source)
        rollout = rollout_start(actor=estate.ACTOR, policy=policy, version=version)
        for percent, there, gone in ((0, MAIL, SECRET), (100, SECRET, MAIL)):
            rollout_update(actor=estate.ACTOR, rollout=rollout, percent=percent)
            assert home.publish()

            def judged(percent=percent):
                text = gateway.chat(home.secret, home.model, stream=True).text
                last = eventually(lambda: books.records(home, "completed"))[-1].body
                is_judged = last.get("rollout", {}).get("percent") == percent
                return (text, last) if is_judged else None

            text, last = eventually(judged)
            assert there in text
            assert gone not in text
            assert last["rollout"]["change"] == "other_obligations"
        assert set(explained(home)) == {""}


@pytest.mark.parametrize("policy", [NO_SECRETS, DENY_ANSWERS])
def test_the_record_says_which_detector_failed_on_a_stream(gateway, policy):
    words = [(0, {"content": "word " * 50_000})] * 5
    with Scripted(stream(*words)) as provider:
        home = house(provider, policy)
        text = gateway.chat(home.secret, home.model, stream=True).text
        assert "detector_failed" in text
        end = books.record(home, "completed")
        assert end.code == "detector_failed"
        assert end.body["failed"] == [{NO_SECRETS: "secrets", DENY_ANSWERS: "pii"}[policy]]
        assert set(explained(home)) == {""}
