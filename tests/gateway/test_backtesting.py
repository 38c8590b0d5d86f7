"""Back-tests against recorded calls: they say what is so once the text is published."""

import datetime
import io
import json
import random
import tracemalloc
from collections import Counter

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from audit import decided as evidence
from audit.decided import Range
from audit.models import Record
from gateway.backtesting import backtest
from gateway.calls.ruling import CannotRebuildError, slots_of
from gateway.proxy import tenant as loading
from gateway.publish import compile_bundle
from gateway.replaying import archive
from gateway.services.guards import guard_create
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.pdp.request import SCHEMA_VERSION, SCHEMAS
from policies.pdp.rollout import change
from policies.services.policies import policy_publish
from policies.substitution import Place, substitution
from tenants.models import Tenant
from tests import books, estate
from tests.gateway.history import HOUR, Past
from tests.planting import house
from tests.stack import Gateway, eventually

pytestmark = pytest.mark.usefixtures("db")

TIGHTER = ("pii.count > 2 &&", "pii.count > 0 &&")
LOOKS = """\
policy: {name}
default: permit
rules:
  - {id: many, when: pii.count > 9, deny: {message: "Too many."}}
"""
NOTHING = "policy: {}\ndefault: permit\n"
KINDS = ((), ("CREDIT_CARD",), ("EMAIL_ADDRESS",), ("CREDIT_CARD", "IBAN_CODE"))
OTHERS = """\
policy: {name}
default: permit
rules:
  - {id: mails, when: 'findings.exists(f, f.category == "pii")', tag: {mail: found}}
"""
ON_PROJECTS = """\
policy: {}
default: permit
rules:
  - {{id: projects, when: custom.count > 0, deny: {{message: "It names a project."}}}}
"""
BY_MAIL = """\
policy: {}
default: permit
rules:
  - id: no-mail
    when: '"EMAIL_ADDRESS" in pii.kinds'
    deny: {{message: "No addresses."}}
"""


@pytest.fixture
def past(unique):
    return Past(unique)


def judged(past, text, place=None):
    supposed = past.substitution(text, place or Place())
    return backtest(settings.GATEHOUSE.database_url, Range(*past.range(), past.tenant.id), supposed)


def admitted(past, kind):
    """Write a call with one finding that left, and got no answer."""
    call = past.call(pii__count=1, pii__kinds=(kind,))
    return call.admitted().completed(code="upstream_error")


def at_random(past, number, draw):
    """Write calls with facts at random, each as the policies that hold decide it."""
    for _ in range(number):
        kinds = draw.choice(
            [(), ("CREDIT_CARD",), ("EMAIL_ADDRESS",), ("CREDIT_CARD", "IBAN_CODE")]
        )
        call = past.call(
            timezone.now() - draw.random() * HOUR,
            pii__count=draw.randrange(5) if kinds else 0,
            pii__kinds=kinds,
            call__bytes=draw.randrange(300),
            call__stream=draw.random() < 0.5,
            risk=0,
        )
        permitted = past.policy.decide("request", call.slots).permitted
        if not permitted:
            call.refused()
        elif draw.random() < 0.3:
            call.admitted().answer_denied()
        elif draw.random() < 0.2:
            call.refused("rate_limit_exceeded")
        else:
            call.admitted().completed(code="upstream_error")


@pytest.mark.parametrize("seed", range(4))
def test_a_back_test_says_what_is_so_once_the_text_is_published(past, seed):
    draw = random.Random(seed)
    at_random(past, 60, draw)
    text = past.house_text(*draw.choice([
        TIGHTER,
        ("method: mask", "method: drop"),
        ("size(answer.tool_calls) > 0", "size(answer.tool_calls) > 1"),
        ("mode: shadow", "mode: enforce"),
    ]))  # fmt: skip
    found = judged(past, text)
    before = live(past)
    policy_publish(actor=estate.ACTOR, policy=past.house, source=text)
    after, happened = live(past), Counter()
    for call in calls_of(past):
        happened[changed(before, after, call)] += 1
    assert found["changes"] == {kind: happened[kind] for kind in found["changes"]}
    assert found["calls"] == found["compared"] == 60
    assert judged(past, text)["changes"]["same"] == 60


def live(past):
    """Return the policy as a worker loads it for the app."""
    bundle = compile_bundle(Tenant.objects.get(pk=past.tenant.pk), timezone.now())
    return loading._apps(bundle)[str(past.app.id)].policy


def calls_of(past):
    calls = {}
    for row in Record.objects.filter(tenant_id=past.tenant.id):
        calls.setdefault(row.call_id, {})[row.kind] = row.body
    return calls.values()


def changed(before, after, call):
    """Return what the live decisions say, phase by phase, as the data plane comes to them."""
    body = call.get("refused") or call["admitted"]
    one, two = (policy.decide("request", slots_of(body["facts"])) for policy in (before, after))
    first = change(one, two)
    if not (one.permitted and two.permitted) or "decision" not in call.get("completed", {}):
        return first
    one, two = (
        policy.decide("answer", slots_of(call["completed"]["facts"])) for policy in (before, after)
    )
    second = change(one, two)
    return second if one.permitted != two.permitted or first == "same" else first


def test_the_counts_name_app_rule_and_calls(past):
    call = (
        past.call(pii__count=1, pii__kinds=("CREDIT_CARD",))
        .admitted()
        .completed(code="upstream_error")
    )
    past.call(app=past.new_app("batch")).refused("rate_limit_exceeded")
    found = judged(past, past.house_text(*TIGHTER))
    assert found["changes"]["newly_denied"] == 1
    assert found["by_rule"][0]["name"] == f"{past.house.name}/no-cards"
    assert found["by_app"][0]["name"] == past.app.name
    (example,) = found["examples"]["newly_denied"]
    assert (example["call"], example["key"]) == (str(call.id), "K7hTq2mXab")
    assert found["cost_micros"] == {"USD": 310}
    assert sorted(found["before"]) == sorted(past.policy.labels)
    assert found["records_per_minute"] > 0


def test_a_draft_is_added_at_a_place(past, unique):
    past.call(pii__count=1, pii__kinds=("EMAIL_ADDRESS",)).admitted().completed(
        code="upstream_error"
    )
    other = past.new_app("batch")
    text = BY_MAIL.format(unique("draft"))
    for place, denied in (
        (Place("platform"), 1),
        (Place("tenant"), 1),
        (Place("app", past.app.id), 1),
        (Place("app", other.id), 0),
    ):
        assert judged(past, text, place)["changes"]["newly_denied"] == denied
    with pytest.raises(ValidationError, match="holds nowhere"):
        judged(past, text)
    with pytest.raises(PolicyError, match="two versions"):
        judged(past, past.house_text(*TIGHTER), Place("tenant"))


def test_what_no_detector_looked_for_is_not_comparable(past):
    past.call().refused("rate_limit_exceeded")
    text = past.house_text("call.bytes > 100", "secret.count > 0").replace(
        "mode: shadow", "mode: enforce"
    )
    found = judged(past, text)
    assert (found["compared"], found["not_comparable"]) == (0, 1)
    assert found["lacking"] == [{"facts": "secret.count", "calls": 1}]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schema_of_an_older_record_is_told_by_its_hash(past, schema):
    body = dict(past.call().with_cards().refused().rows[0].body)
    older = body | {"policy_hash": past.policy.hash_under(schema)}
    assert archive().seen(older).schema == schema
    assert archive().seen(body | {"facts_schema": schema}).schema == schema
    with pytest.raises(CannotRebuildError):
        archive().seen(body | {"policy_hash": "0" * 64})


def test_what_cannot_be_read_is_counted(past):
    past.call().refused("rate_limit_exceeded")
    call = past.call().completed()
    row = Record.objects.get(call_id=past.call().refused("rate_limit_exceeded").id)
    for number, changes in enumerate(
        ({"policies": ["nobody@1"]}, {"facts": 7}, {"policy_hash": "0" * 64}), 1
    ):
        row.call_id = call.id.__class__(int=call.id.int ^ number)
        row.body = dict(row.body) | changes
        row.save(force_insert=True)
        row.body = dict(
            Record.objects.exclude(call_id=row.call_id)
            .filter(tenant_id=past.tenant.id, kind="refused")
            .order_by("at")[0]
            .body
        )
    found = judged(past, past.house_text())
    assert (found["calls"], found["compared"], found["not_comparable"]) == (6, 2, 4)
    assert sum("not stored" in each["facts"] for each in found["lacking"]) == 1


def test_memory_is_bounded_however_many_calls_there_are(past, monkeypatch):
    monkeypatch.setattr(evidence, "FETCH", 100)
    copy_calls(past.call().refused("rate_limit_exceeded"), 400)
    few = peak(past)
    copy_calls(past.call().refused("rate_limit_exceeded"), 4000)
    assert peak(past) < few * 1.25


def copy_calls(call, number):
    row = Record.objects.get(call_id=call.id)
    Record.objects.bulk_create([
        Record(**{field.name: getattr(row, field.name) for field in Record._meta.concrete_fields
                  if field.name not in ("pk", "call_id")},
               call_id=call.id.__class__(int=call.id.int ^ (place + 1)))
        for place in range(number)
    ])  # fmt: skip


def peak(past):
    judged(past, past.house_text())
    tracemalloc.start()
    try:
        judged(past, past.house_text())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_command_tells_who_would_be_affected(past, tmp_path):
    call = (
        past.call(pii__count=1, pii__kinds=("CREDIT_CARD",))
        .admitted()
        .completed(code="upstream_error")
    )
    path = tmp_path / "house.yaml"
    path.write_text(past.house_text(*TIGHTER))

    def run(*more):
        output = io.StringIO()
        call_command(
            "policy", "simulate", str(path), "--tenant", past.tenant.name, *more, stdout=output
        )
        return output.getvalue()

    told = run()
    assert f"1 of 1 call would newly be refused: app {past.app.name} 1" in told
    assert str(call.id) in told
    assert json.loads(run("--json"))["changes"]["newly_denied"] == 1
    path.write_text(past.house_text())
    assert "Nothing would change for 1 call." in run()
    later = (timezone.now() + datetime.timedelta(days=1)).date().isoformat()
    for arguments, code in (
        (["--at", "app:nobody"], 2),
        (["--from", later], 2),
        (["--at", "tenant"], 1),
    ):
        with pytest.raises(CommandError) as failure:
            run(*arguments)
        assert failure.value.returncode == code
    path.write_text("policy: x\nrules: 7\n")
    with pytest.raises(CommandError, match=r"house\.yaml:2") as failure:
        run()
    assert failure.value.returncode == 1
    path.write_text(NOTHING.format("somewhere-else"))
    with pytest.raises(CommandError, match="holds nowhere"):
        run()


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def test_real_calls_go_as_the_back_test_said(gateway):
    home = house(LOOKS, (None, "simulated-echo"))
    texts = ["Hello there.", "Write to ann@example.org.", "What is new?", "bob@example.org asks"]

    def codes():
        return [gateway.chat(home.secret, home.model, text).status_code for text in texts]

    assert codes() == [200] * 4
    eventually(lambda: len(books.records(home, "completed")) == 4)
    draft = BY_MAIL.format(estate.name("draft"))
    now = timezone.now()
    supposed = substitution(home.tenant, parse_document(draft), Place("tenant"))
    of = Range(now - HOUR, now + HOUR, home.tenant.id)
    found = backtest(settings.GATEHOUSE.database_url, of, supposed)
    assert (found["compared"], found["changes"]["newly_denied"]) == (4, 2)
    named = [each["call"] for each in found["examples"]["newly_denied"]]
    records = books.records(home, "admitted")
    assert named == [str(records[place].call_id) for place in (3, 1)]
    assert {record.body["facts_schema"] for record in records} == {SCHEMA_VERSION}
    estate.attach(BY_MAIL.format("{name}"), tenant=home.tenant)
    home.publish()
    eventually(lambda: codes()[-1] == 403)
    assert codes() == [200, 403, 200, 403]


def test_what_a_guard_that_nobody_asked_would_have_said_is_not_guessed(gateway):
    home = house(OTHERS, (None, "simulated-echo"))
    assert gateway.chat(home.secret, home.model, "On Bluebird.").status_code == 200
    eventually(lambda: len(books.records(home, "completed")) == 1)
    draft = parse_document(ON_PROJECTS.format(estate.name("draft")))
    supposed = substitution(home.tenant, draft, Place("tenant"))
    now = timezone.now()
    of = Range(now - HOUR, now + HOUR, home.tenant.id)
    found = backtest(settings.GATEHOUSE.database_url, of, supposed)
    assert (found["compared"], found["changes"]["same"]) == (1, 1)
    guard_create(
        actor=estate.ACTOR,
        tenant=home.tenant,
        name="projects",
        secret="guard-canary-0123456789",
        url="https://guard.example/",
        kinds=["PROJECT_NAME"],
        phases=["request"],
    )
    found = backtest(settings.GATEHOUSE.database_url, of, supposed)
    assert found["compared"] == 0
    assert found["lacking"] == [{"facts": "custom.count", "calls": 1}]
