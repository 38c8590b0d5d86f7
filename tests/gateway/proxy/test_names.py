"""A tenant that asks for names: what providers receive, what clients get, whole and streamed, and
what becomes of its calls while nobody finds names."""

import dataclasses
import json
import signal

import pytest
from django.conf import settings
from django.test import override_settings

from audit.models import Record
from gateway import doctor
from gateway.samples import Sample, judge
from gateway.services.guards import guard_create, guard_test
from tests import books, estate
from tests.mock_guard import KIND, SECRET, Guarding
from tests.mock_provider import start_mock_provider
from tests.names_model import Process, configure
from tests.stack import Gateway, eventually

TEXT = "\U0001f600 Please write to Zo\u00eb Nov\u00e1k at Acme ."
MASKED = "\U0001f600 Please write to <PERSON> at Acme ."
MASK = """
policy: {name}
default: permit
rules:
  - {id: names, when: true, redact: {kinds: [PERSON], method: METHOD}}
"""
MASK_ANSWERS = """
policy: {name}
default: permit
rules:
  - {id: names, phase: answer, when: answer.pii.count > 0, redact: {kinds: [PERSON], method: mask}}
"""
DENY = """
policy: {name}
default: permit
rules:
  - {id: names, when: '"PERSON" in pii.kinds', on_error: ON_ERROR, deny: {message: "No names."}}
"""
GUARDED = """
policy: {name}
default: permit
rules:
  - {id: projects, when: custom.count > 0, deny: {message: "It names a project."}}
"""
MAILS = """
policy: {name}
default: permit
rules:
  - {id: mails, when: true, redact: {kinds: [EMAIL_ADDRESS], method: mask}}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def process(tmp_path_factory, names_model):
    folder = tmp_path_factory.mktemp("ner")
    process = Process(folder, configure(folder, names_model)).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def gateway(db, process):
    environ = {"GATEHOUSE_NER_SOCKET": str(process.socket), "GATEHOUSE_NER_MS": "20000"}
    with Gateway(environ=environ) as gateway:
        eventually(lambda: "ner_connected" in gateway.output(), 30)
        yield gateway


def home_of(mock, policy, entities=("PERSON",)):
    route = estate.route((estate.provider(mock.base_url), "mock-echo"), price=books.PRICE)
    return estate.estate(route, policy=policy, entities=entities)


def ask(gateway, home, text=TEXT, **fields):
    return gateway.chat(home.secret, home.model, text, **fields)


def said(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


def streamed(answer):
    """Return what a stream says, and each piece that it came in."""
    assert answer.status_code == 200, answer.text
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    choices = [choice for line in lines for choice in json.loads(line)["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def sent(mock, home):
    """Return the last text that the provider got of this house's model."""
    found = [entry["body"] for entry in mock.books() if "messages" in (entry["body"] or {})]
    return found[-1]["messages"][-1]["content"]


def test_a_request_leaves_without_names_at_the_right_places(gateway, mock):
    home = home_of(mock, MASK.replace("METHOD", "mask"))
    assert said(ask(gateway, home)) == MASKED
    assert sent(mock, home) == MASKED


@pytest.mark.parametrize("stream", [False, True])
def test_placeholders_of_names_are_the_names_again_in_the_answer(gateway, mock, stream):
    home = home_of(mock, MASK.replace("METHOD", "placeholder"))
    answer = ask(gateway, home, stream=stream)
    assert (streamed(answer) if stream else said(answer)) == TEXT
    assert "[PERSON_1_" in sent(mock, home)
    assert "Nov\u00e1k" not in sent(mock, home)


def test_an_answer_loses_its_names_whole_and_streamed(gateway, mock):
    home = home_of(mock, MASK_ANSWERS)
    assert said(ask(gateway, home)) == MASKED
    assert streamed(ask(gateway, home, stream=True)) == MASKED


def test_a_rule_that_reads_names_decides_and_the_record_tells_what_it_knew(gateway, mock):
    home = home_of(mock, DENY.replace("ON_ERROR", "deny"), ("PERSON", "ORGANIZATION"))
    answer = ask(gateway, home)
    assert answer.status_code == 403, answer.text
    assert answer.json()["error"]["message"] == "No names."
    assert said(ask(gateway, home, "The invoice of Acme is wrong .")) == (
        "The invoice of Acme is wrong ."
    )
    rows = eventually(lambda: _rows(home, 3))
    denied = rows[0].body
    assert denied["facts"]["pii.kinds"] == ["ORGANIZATION", "PERSON"]
    assert "Nov\u00e1k" not in json.dumps(denied, ensure_ascii=False)
    plain = home_of(mock, DENY.replace("ON_ERROR", "deny"), ())
    said(ask(gateway, plain))
    other = eventually(lambda: _rows(plain, 2))[0].body
    assert other["facts"].get("pii.kinds") is None
    assert len(denied["detectors"]) == len(other["detectors"]) == 64
    assert denied["detectors"] != other["detectors"]


def _rows(home, least):
    rows = list(Record.objects.filter(tenant_id=home.tenant.id).order_by("at", "call_id"))
    return rows if len(rows) >= least else None


def test_metrics_tell_who_is_connected_and_how_questions_end(gateway, mock):
    ask(gateway, home_of(mock, MASK.replace("METHOD", "mask")))
    with gateway.client() as client:
        told = client.get("/metrics").text
    assert "gatehouse_ner_connected 1.0" in told
    assert 'gatehouse_ner_total{outcome="read"}' in told


def test_a_pasted_request_is_judged_with_its_names(process, mock, db):
    home = home_of(mock, DENY.replace("ON_ERROR", "deny"))
    body = {"model": home.model, "messages": [{"role": "user", "content": TEXT}]}
    judged = judge(Sample(json.dumps(body).encode(), home.app, home.tenant.created_at))
    assert judged.failed == ("ner",)  # the control plane of the tests has no models
    assert judged.after.code == "detector_failed"
    config = dataclasses.replace(settings.GATEHOUSE, ner_socket=process.socket, ner_ms=20_000)
    with override_settings(GATEHOUSE=config):
        judged = judge(Sample(json.dumps(body).encode(), home.app, home.tenant.created_at))
        (found,) = [one for one in doctor.examine(offline=True) if one.check == "names"]
    assert (judged.failed, judged.facts["pii.kinds"]) == ((), ("PERSON",))
    assert judged.after.message == "No names."
    assert found.ok
    assert found.detail.startswith("en: en_tiny 0.0.0; ")
    assert home.tenant.name in found.detail


def guarded(mock, server):
    """Make a house with one guard, which is to see no personal data; no rule asks for names."""
    home = home_of(mock, GUARDED)
    guard = guard_create(
        actor=estate.ACTOR,
        tenant=home.tenant,
        name="projects",
        secret=SECRET,
        url=server.url,
        allow_private=True,
        kinds=[KIND],
        phases=["request"],
        deadline_ms=5_000,
        redacted=True,
    )
    assert home.publish()
    return home, guard


def test_a_guard_that_is_to_see_no_personal_data_sees_no_names(gateway, process, mock):
    with Guarding() as server:
        home, guard = guarded(mock, server)
        assert said(ask(gateway, home)) == TEXT
        assert server.told[-1].texts[-1] == MASKED
        assert "Nov\u00e1k" not in json.dumps(server.told[-1].json, ensure_ascii=False)
        asked = len(server.told)
        tried = guard_test(actor=estate.ACTOR, guard=guard, text=TEXT)
        assert "could not be masked" in tried.detail  # the control plane of the tests has no models
        assert len(server.told) == asked
        config = dataclasses.replace(settings.GATEHOUSE, ner_socket=process.socket, ner_ms=20_000)
        with override_settings(GATEHOUSE=config):
            assert guard_test(actor=estate.ACTOR, guard=guard, text=TEXT).ok
        assert server.told[-1].texts == [MASKED]


def test_while_nobody_finds_names_only_rules_that_need_them_fail(gateway, process, mock):
    """The last of the module: the process stays away."""
    denying = home_of(mock, DENY.replace("ON_ERROR", "deny"))
    skipping = home_of(mock, DENY.replace("ON_ERROR", "skip"))
    mails = home_of(mock, MAILS)
    others = home_of(mock, DENY.replace("ON_ERROR", "deny"), ())
    answers = home_of(mock, MASK_ANSWERS)
    process.child.send_signal(signal.SIGKILL)
    process.child.wait()
    eventually(lambda: "ner_connection_lost" in gateway.output() or _away(gateway))
    fresh = "My name is Olga Lind ."
    answer = ask(gateway, denying, fresh)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "detector_failed")
    assert "ner" in answer.json()["error"]["message"]
    for stream in (False, True):
        refused = ask(gateway, answers, fresh, stream=stream)
        assert refused.json()["error"]["code"] == "detector_failed"
        assert "Olga" not in refused.text
    assert said(ask(gateway, skipping, fresh)) == fresh
    assert said(ask(gateway, mails, fresh)) == fresh  # no name matters to it
    assert said(ask(gateway, others, fresh)) == fresh
    rows = eventually(lambda: _rows(skipping, 2))
    assert rows[0].body["failed"] == ["ner"]
    with Guarding() as server:
        home, _ = guarded(mock, server)
        assert ask(gateway, home, fresh).json()["error"]["code"] == "detector_failed"
        assert not server.told
    (refused,) = eventually(lambda: _rows(home, 1))
    assert [one["outcome"] for one in refused.body["guards"]] == ["unmasked"]
    with gateway.client() as client:
        assert client.get("/readyz").status_code in (200, 503)
        assert "names" not in client.get("/readyz").json()["checks"]
        told = client.get("/metrics").text
    assert 'gatehouse_ner_total{outcome="away"}' in told
    assert 'gatehouse_detector_failures_total{detector="ner"}' in told


def _away(gateway):
    with gateway.client() as client:
        return "gatehouse_ner_connected 0.0" in client.get("/metrics").text
