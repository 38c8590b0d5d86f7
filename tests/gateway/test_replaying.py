"""Recorded decisions, made again from the facts and policies of their time."""

import datetime
import io
import json
import uuid

import orjson
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from audit.decided import Range
from gateway.replaying import replay
from tests.gateway.call_records import World

pytestmark = pytest.mark.usefixtures("db")

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def world(unique):
    return World(unique)


def forged(call, **changes):
    """Write a call whose last record says something else than what was decided."""
    row = call.rows[-1]
    row.body = orjson.loads(orjson.dumps(row.body)) | changes
    row.call_id = uuid.UUID(int=row.call_id.int ^ 1)
    row.save(force_insert=True)
    return row


def proof_of(world, since=HOUR, until=HOUR):
    now = timezone.now()
    of = Range(now - since, now + until, world.tenant.id)
    return replay(settings.GATEHOUSE.database_url, of).proof


def test_every_kind_of_record_is_proven(world):
    world.call().with_cards().refused()
    world.call().admitted().answer_denied()
    world.call().admitted().completed(code="upstream_error").admitted(2).completed(2)
    world.call().admitted().lost()
    world.call().refused("rate_limit_exceeded")
    proof = proof_of(world)
    assert (proof.records, proof.decisions) == (10, 7)
    assert (proof.differences, proof.unproven, proof.holds) == ([], {}, True)


def test_what_a_failed_detector_decided_needs_its_name(world):
    call = world.call(failed=["pii"]).refused()  # written without the name
    named = forged(call, failed=["pii"])
    assert call.id != named.call_id
    proof = proof_of(world)
    assert proof.decisions == 2
    assert [one.call_id for one in proof.differences] == [call.id]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("effect", "permit"),
        ("message", "Quite another thing."),
        ("matched", []),
        ("risk", 7),
        ("obligations", [{"cap": {"max_output_tokens": 1}}]),
        ("exemptions", ["friends"]),
        ("invented", 1),
    ],
)
def test_a_decision_that_was_changed_is_found(world, name, value):
    call = world.call().with_cards().refused()
    row = forged(call, decision=call.rows[-1].body["decision"] | {name: value})
    proof = proof_of(world)
    assert (proof.decisions, proof.different, proof.holds) == (2, 1, False)
    (difference,) = proof.differences
    assert (difference.call_id, difference.differs) == (row.call_id, name)


def test_facts_that_were_changed_are_found(world):
    call = world.call().with_cards().refused()
    facts = dict(call.rows[-1].body["facts"])
    forged(call, facts=facts | {"pii.kinds": ["EMAIL_ADDRESS"]})
    forged(world.call().with_cards().refused(), facts=facts | {"findings": [["x"]]})
    forged(world.call().with_cards().refused(), facts=facts | {"pii.count": "many"})
    differs = [one.differs for one in proof_of(world).differences]
    assert len(differs) == 3
    assert sum("effect" in each for each in differs) == 1
    assert differs.count("the shape of the record") == 2


def test_a_changed_answer_is_found(world):
    call = world.call().admitted().answer_denied()
    body = call.rows[-1].body
    assert proof_of(world).holds
    other = world.call().admitted()
    other.completed(decision=body["decision"] | {"effect": "permit"}, facts=body["facts"])
    (difference,) = proof_of(world).differences
    assert (difference.call_id, difference.phase) == (other.id, "answer")


def test_what_cannot_be_decided_again_is_told_and_never_taken_for_granted(world):
    call = world.call().with_cards().refused()
    forged(call, policies=[*call.rows[-1].body["policies"], "nobody@1"])
    forged(world.call().refused("rate_limit_exceeded"), policies=["nobody@x"])
    forged(world.call().refused("rate_limit_exceeded"), policy_hash="0" * 64)
    answered = world.call().admitted().answer_denied().rows[-1].body["decision"]
    world.call().completed(decision=answered, facts={})
    world.call().admitted().completed(decision=answered)
    proof = proof_of(world)
    assert (proof.different, proof.holds) == (0, False)
    assert sorted(proof.unproven.values()) == [1, 1, 1, 1, 1]


def test_only_the_range_is_read(world):
    now = timezone.now()
    world.call(now - 2 * HOUR).with_cards().refused()
    world.call(now).with_cards().refused()
    assert proof_of(world).decisions == 1
    assert proof_of(world, since=3 * HOUR).decisions == 2
    assert proof_of(world, since=3 * HOUR, until=-HOUR).decisions == 1


def test_the_command_says_what_it_found_and_fails_where_something_differs(world):
    def run(*more):
        output = io.StringIO()
        call_command("audit", "replay", "--tenant", world.tenant.name, *more, stdout=output)
        return output.getvalue()

    call = world.call().with_cards().refused()
    assert "1 decision in 1 record made again" in run()
    told = json.loads(run("--json", "--from", "2026-01-01"))
    assert (told["ok"], told["decisions"], told["differences"]) == (True, 1, [])
    row = forged(call, decision=call.rows[-1].body["decision"] | {"effect": "permit"})
    output = io.StringIO()
    with pytest.raises(CommandError, match="not every decision") as failure:
        call_command("audit", "replay", "--tenant", world.tenant.name, stdout=output)
    assert failure.value.returncode == 1
    assert f"{row.call_id} attempt 0, refused: another effect" in output.getvalue()
    with pytest.raises(CommandError, match="there is no tenant"):
        call_command("audit", "replay", "--tenant", "nobody-at-all")
