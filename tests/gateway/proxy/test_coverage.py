"""P5: the same verdict at each endpoint, whole or streamed, however the call is answered."""

import secrets
from pathlib import Path

import orjson
import pytest

from audit.models import Record
from gateway.exchange import Endpoint
from gateway.proxy.paths import PATHS
from tenants.services.apps import app_update
from tests import books, estate
from tests.gateway.proxy.cells import ASKED, SOUND, TOLD, TRIED, asked, nothing_said, page, told
from tests.gateway.proxy.offered import service
from tests.planting import MAIL
from tests.scripted import Scripted
from tests.stack import Gateway, eventually

SECRET = "AKIA" + "Q3EGWYXK5H2T7ZPM"
POLICY = """
policy: {name}
default: permit
rules:
  - id: no-secrets
    when: secret.count > 0 && !call.tags.exists(t, t == "team=cleared")
    deny: {message: "The prompt holds a secret."}
  - id: no-addresses
    phase: answer
    when: >-
      answer.pii.kinds.exists(k, k == "EMAIL_ADDRESS")
      && !call.tags.exists(t, t == "team=cleared")
    deny: {message: "The answer holds an address."}
"""
VERDICTS = {
    "request": (403, "policy_denied", "no-secrets"),
    "answer": (403, "policy_denied", "no-addresses"),
}
LIMITED = orjson.dumps({"error": {"message": "Later.", "type": "rate_limit_error"}})
URLS = {endpoint: path for path, (_, endpoint) in PATHS.items()}
KEPT = {"cached": "hit", "replayed": "replayed"}
"""What records say of an answer that is given again."""


class World:
    """A gateway, a provider that answers, one whose limit is used up, and who may ask them."""

    def __init__(self, gateway, answering, limited):
        self.gateway, self.answering, self.limited = gateway, answering, limited
        self.models = {}
        routes = []
        for cell in TRIED:
            plan = self.plan(cell)
            if cell.endpoint is not Endpoint.SERVICE and plan not in self.models:
                routes.append(self.route(*plan))
                self.models[plan] = routes[-1].name
        self.home = estate.estate(*routes, policy=POLICY, tags=["team"], cache=True)
        self.service = service(answering.base_url)
        app_update(actor=estate.ACTOR, app=self.home.app, services=[self.service.name])
        assert self.home.publish()

    @staticmethod
    def plan(cell):
        """Return which dialects the providers of a cell's model speak, those that are tried."""
        return (cell.first, cell.other) if cell.way == "failover" else (cell.first,)

    def route(self, first, other=None):
        """Make a model whose answers are kept; with another dialect, the first is at its limit."""
        spent = [(estate.provider(self.limited.base_url, dialect=first), "m")] if other else []
        serving = estate.provider(self.answering.base_url, dialect=other or first)
        return estate.route(*spent, (serving, "m"), price=books.PRICE, cache_ttl_s=3600)

    def answers(self, cell, text):
        """Let the provider say something."""
        serving = cell.other if cell.way == "failover" else cell.first
        kind = {"content-type": "audio/mpeg"} if cell.endpoint is Endpoint.SPEECH else {}
        self.answering.prepared = 200, kind, told(cell, text, serving)

    def ask(self, cell, text, key, *, cleared=False):
        """Make a call."""
        headers = {"x-gatehouse-tags": f"team={'cleared' if cleared else 'other'}"}
        if cell.way == "replayed":
            headers["idempotency-key"] = key
        model = self.models.get(self.plan(cell), "")
        body = asked(cell.endpoint, text, model, streams=cell.streams)
        sent = {"json": body}
        if cell.endpoint is Endpoint.TRANSCRIPTIONS:
            sent = {"data": body, "files": {"file": SOUND}}
        offered = f"/services/{self.service.name}/collections/docs/points/search"
        with self.gateway.client(self.home.secret) as client:
            return client.post(URLS.get(cell.endpoint, offered), headers=headers, **sent)

    def asked(self):
        """Return how often the one at its limit was asked, and how often the other."""
        return len(self.limited.bodies), len(self.answering.bodies)


@pytest.fixture(scope="module")
def world(db):
    with (
        Scripted(b"") as answering,
        Scripted(LIMITED, 429) as limited,
        Gateway() as gateway,
    ):
        yield World(gateway, answering, limited)


def verdict(answer):
    """Return the status of a refusal, its code, and the rule that it names."""
    error = answer.json().get("error", {})
    return answer.status_code, error.get("code"), error.get("rule")


def records(answer):
    """Return the records of a call, once it is closed: (attempt, kind), and the last one."""

    def found():
        rows = list(Record.objects.filter(call_id=answer.headers["x-request-id"]))
        closed = {row.attempt for row in rows if row.kind != "admitted"}
        return rows if rows and {row.attempt for row in rows} == closed else None

    rows = sorted(eventually(found), key=lambda row: (row.attempt, row.kind))
    return [(row.attempt, row.kind) for row in rows], rows[-1]


@pytest.mark.parametrize("cell", TRIED, ids="-".join)
def test_p5_every_cell_has_the_same_verdict(world, cell):
    text, key = f"Question {secrets.token_hex(6)}", secrets.token_hex(8)
    if cell.phase == "request":
        text += f" of {SECRET}"
    words = f"{MAIL} is who answers." if cell.phase == "answer" else "Nothing to hide."
    world.answers(cell, words)
    if cell.way in KEPT:  # somebody else may ask and hear: from then on the answer is there
        cleared = world.ask(cell, text, key, cleared=True)
        assert cleared.status_code == 200, cleared.text
        assert (MAIL in cleared.text) == (cell.phase == "answer")
        records(cleared)
    limited, answering = world.asked()
    refused = world.ask(cell, text, key)
    assert verdict(refused) == VERDICTS[cell.phase]
    assert MAIL not in refused.text
    told, last = records(refused)
    assert (last.code, last.body["decision"]["effect"]) == ("policy_denied", "deny")
    (matched,) = last.body["decision"]["matched"]
    assert matched.endswith(f"/{VERDICTS[cell.phase][2]}")
    fails, answers = world.asked()
    if cell.phase == "request":
        assert told == [(0, "refused")]
        assert (fails, answers) == (limited, answering)
        return
    attempts = 2 if cell.way == "failover" else 1
    assert told == [
        (attempt, kind) for attempt in range(1, attempts + 1) for kind in ("admitted", "completed")
    ]
    assert (fails - limited, answers - answering) == (attempts - 1, cell.way not in KEPT)
    assert last.body.get("cache", {}).get("outcome", "") in (KEPT.get(cell.way, ""), "miss")


def test_every_endpoint_has_its_cells():
    """A new one is named here, until it is asked and answered in cells.py."""
    wanted = {endpoint for endpoint in Endpoint if not nothing_said(endpoint)}
    assert set(ASKED) == wanted
    assert set(TOLD) == wanted
    assert {cell.endpoint for cell in TRIED} == wanted


def test_the_page_says_what_is_tested():
    assert Path("docs/coverage.md").read_text() == page()
