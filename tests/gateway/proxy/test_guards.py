"""A tenant's own guards in calls: what they find is judged, and what they fail at is too."""

import datetime
import json

import httpx
import pytest
from django.conf import settings
from django.utils import timezone

from audit.decided import Range
from audit.models import Event
from gateway.replaying import replay
from gateway.services.guards import (
    guard_create,
    guard_secret_retire,
    guard_secret_set,
    guard_update,
)
from tests import books, estate
from tests.mock_guard import KIND, SECRET, Guarding, Prepared
from tests.planting import MAIL, house
from tests.stack import Gateway, eventually

NEWER = "guard-canary-renewed-1"
HASTY_MS, PATIENT_MS = 60, 5_000
DENY = """
policy: {name}
default: permit
rules:
  - {id: secret-project, when: custom.count > 0, deny: {message: "It names {custom.kinds}."}}
"""
SKIPPING = DENY.replace("custom.count > 0,", "custom.count > 0, on_error: skip,")
DENY_ANSWERS = """
policy: {name}
default: permit
rules:
  - id: secret-project
    phase: answer
    when: "'PROJECT_NAME' in answer.custom.kinds"
    deny: {message: "It names a project."}
"""
SKIPPING_ANSWERS = """
policy: {name}
default: permit
rules:
  - {id: asked, when: custom.count > 0, on_error: skip, deny: {message: "It names a project."}}
  - {id: told, phase: answer, when: answer.custom.count > 0, deny: {message: "It names one."}}
"""
OTHERS = """
policy: {name}
default: permit
rules:
  - {id: mails, when: 'findings.exists(f, f.category == "pii")', tag: {mail: found}}
"""
REDACT = """
policy: {name}
default: permit
rules:
  - {id: mask-requests, when: custom.count > 0, redact: {custom: all, method: mask}}
"""
REDACT_ANSWERS = """
policy: {name}
default: permit
rules:
  - {id: mask, phase: answer, when: answer.custom.count > 0, redact: {custom: all, method: mask}}
"""
FINDINGS = b'{"version": 1, "findings": [{"kind": "%s", "score": 1, "leaf": %d}]}'


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def server():
    with Guarding() as guard:
        yield guard


@pytest.fixture
def guard(server):
    server.reset()
    return server


def guarded(guard, policy, **fields):
    """Make a house whose tenant has one guard, under a policy; its provider says it again."""
    home = house(None, (None, "simulated-echo"))
    terms = {"phases": ["request"], "kinds": [KIND], "deadline_ms": PATIENT_MS, **fields}
    made = guard_create(
        actor=estate.ACTOR,
        tenant=home.tenant,
        name="names",
        secret=SECRET,
        url=guard.url,
        allow_private=True,
        **terms,
    )
    estate.attach(policy, tenant=home.tenant)
    assert home.publish()
    return home, made


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def heard(record):
    (one,) = record.body["guards"]
    return one["guard"], one["outcome"]


def test_what_a_guard_finds_is_judged_and_recorded(gateway, guard):
    home, _ = guarded(guard, DENY)
    answer = gateway.chat(home.secret, home.model, "When does Bluebird start?")
    assert code(answer) == (403, "policy_denied")
    assert answer.json()["error"]["message"] == "It names PROJECT_NAME."
    record = books.record(home, "refused")
    assert heard(record) == ("names", "answered")
    assert len(record.body["guards"][0]["version"]) == 12
    assert record.body["facts"]["custom.kinds"] == [KIND]
    assert record.body["facts"]["findings"] == [[KIND, "custom", 0.9, "user", 1]]
    (told,) = guard.told
    assert told.json["call_id"] == answer.json()["error"]["decision_id"]
    assert (told.json["tenant"], told.json["app"]) == (home.tenant.name, home.app.name)
    assert told.json["model"] == home.model
    assert "user" not in told.json
    assert "When does Bluebird start?" in told.texts
    assert gateway.chat(home.secret, home.model, "When does it start?").status_code == 200


def test_the_end_user_is_told_where_the_tenant_says_so(gateway, guard):
    home, _ = guarded(guard, DENY, tells_user=True)
    gateway.chat(home.secret, home.model, user="ann")
    assert guard.told[0].json["user"] == "ann"


def test_a_guard_that_is_to_see_no_personal_data_does_not(gateway, guard):
    home, _ = guarded(guard, DENY, redacted=True)
    said = f"Write to {MAIL} about Bluebird."
    assert code(gateway.chat(home.secret, home.model, said)) == (403, "policy_denied")
    assert MAIL not in str(guard.told[0].json)
    assert "Write to <EMAIL_ADDRESS> about Bluebird." in guard.told[0].texts


def test_nobody_is_asked_where_no_rule_depends_on_it(gateway, guard):
    home, _ = guarded(guard, OTHERS)
    assert gateway.chat(home.secret, home.model, f"Bluebird: {MAIL}").status_code == 200
    answering, _ = guarded(guard, DENY, phases=["answer"])
    assert gateway.chat(answering.secret, answering.model, "Bluebird").status_code == 200
    assert not guard.told


@pytest.mark.parametrize(
    ("prepared", "outcome"),
    [
        (Prepared(hangs=True), "late"),
        (Prepared(status=500), "status"),
        (Prepared(body=b" " * 300_000), "invalid"),
        (Prepared(body=FINDINGS % (b"OTHER_KIND", 0)), "invalid"),
        (Prepared(body=FINDINGS % (KIND.encode(), 99)), "invalid"),
    ],
    ids=["slow", "500", "huge", "kind", "leaf"],
)
def test_a_guard_that_fails_denies_unless_the_rule_says_otherwise(
    gateway, guard, prepared, outcome
):
    guard.prepared = prepared
    deadline_ms = HASTY_MS if prepared.hangs else PATIENT_MS
    for policy, kind in ((DENY, "refused"), (SKIPPING, "admitted")):
        home, _ = guarded(guard, policy, deadline_ms=deadline_ms)
        answer = gateway.chat(home.secret, home.model)
        if policy is DENY:
            assert code(answer) == (403, "detector_failed")
        else:
            assert answer.status_code == 200
        record = books.record(home, kind)
        assert record.body["failed"] == ["custom"]
        assert heard(record) == ("names", outcome)


def test_an_answer_is_judged_whole_and_as_a_stream(gateway, guard):
    home, _ = guarded(guard, DENY_ANSWERS, phases=["answer"])
    for streamed in (False, True):
        answer = gateway.chat(home.secret, home.model, "Bluebird flies.", stream=streamed)
        assert code(answer) == (403, "policy_denied")
        assert "Bluebird" not in answer.text
        fine = gateway.chat(home.secret, home.model, "Nothing flies.", stream=streamed)
        assert fine.status_code == 200
        assert "flies" in fine.text
    assert {told.json["phase"] for told in guard.told} == {"answer"}
    completed = [one for one in books.records(home, "completed") if one.code]
    assert [heard(one) for one in completed] == [("names", "answered")] * 2


def test_an_answer_that_nobody_inspected_is_not_seen(gateway, guard):
    guard.prepared = Prepared(status=500)
    home, _ = guarded(guard, DENY_ANSWERS, phases=["answer"])
    for streamed in (False, True):
        answer = gateway.chat(home.secret, home.model, "Bluebird flies.", stream=streamed)
        assert code(answer) == (403, "detector_failed")
        assert "flies" not in answer.text


def test_what_a_guard_finds_is_taken_out(gateway, guard):
    home, _ = guarded(guard, REDACT)
    answer = gateway.chat(home.secret, home.model, "Bluebird flies.")
    assert answer.json()["choices"][0]["message"]["content"] == f"<{KIND}> flies."
    answering, _ = guarded(guard, REDACT_ANSWERS, phases=["answer"])
    for streamed in (False, True):
        told = gateway.chat(answering.secret, answering.model, "Bluebird flies.", stream=streamed)
        assert told.status_code == 200
        assert "Bluebird" not in told.text
        assert f"<{KIND}>" in told.text


def test_a_decision_is_made_again_without_asking_the_guard(gateway, guard):
    home, _ = guarded(guard, DENY)
    assert code(gateway.chat(home.secret, home.model, "Bluebird")) == (403, "policy_denied")
    guard.prepared = Prepared(status=500)
    assert code(gateway.chat(home.secret, home.model, "Bluebird")) == (403, "detector_failed")
    eventually(lambda: len(books.records(home, "refused")) == 2)
    asked, now = len(guard.told), timezone.now()
    of = Range(now - datetime.timedelta(hours=1), now, home.tenant.id)
    proof = replay(settings.GATEHOUSE.database_url, of).proof
    assert (proof.decisions, proof.differences, proof.holds) == (2, [], True)
    assert len(guard.told) == asked


def test_a_secret_is_renewed_with_an_overlap(gateway, guard):
    home, made = guarded(guard, DENY)
    guard_secret_set(actor=estate.ACTOR, guard=made, secret=NEWER)
    home.publish()
    with Guarding(NEWER) as renewed:
        assert answered(gateway, home, guard)
        signatures = guard.told[-1].headers["x-gatehouse-signature"].split(",")
        assert len(signatures) == 2
        guard_secret_retire(actor=estate.ACTOR, guard=made)
        guard_update(actor=estate.ACTOR, guard=made, url=renewed.url)
        home.publish()
        assert answered(gateway, home, renewed)
        assert len(renewed.told[-1].headers["x-gatehouse-signature"].split(",")) == 1


def answered(gateway, home, guard):
    """Call until the workers know the newest revision, and the guard was asked under it."""
    count = len(guard.told)
    return eventually(
        lambda: gateway.chat(home.secret, home.model).status_code == 200 and guard.told[count:]
    )


def test_the_secret_is_in_no_log_record_event_or_answer(gateway, guard):
    home, _ = guarded(guard, DENY)
    guard.prepared = Prepared(status=500, body=SECRET.encode())
    answer = gateway.chat(home.secret, home.model)
    record = books.record(home, "refused")
    events = list(Event.objects.filter(tenant_id=home.tenant.id).values())
    metrics = httpx.get(f"{gateway.base_url}/metrics").text
    for told in (answer.text, json.dumps(record.body), str(events), gateway.output(), metrics):
        assert SECRET not in told
        assert NEWER not in told
    assert 'gatehouse_guard_seconds_count{outcome="status",phase="request"}' in metrics


@pytest.mark.parametrize("stream", [False, True])
def test_what_failed_on_a_request_denies_no_answer_that_is_judged_by_itself(gateway, guard, stream):
    home, _ = guarded(guard, SKIPPING_ANSWERS)
    guard.prepared = Prepared(status=503)
    answer = gateway.chat(home.secret, home.model, "When does it start?", stream=stream)
    assert answer.status_code == 200, answer.text
    assert "detector_failed" not in answer.text
    assert books.record(home, "admitted").body["failed"] == ["custom"]
    assert "failed" not in books.record(home, "completed").body
