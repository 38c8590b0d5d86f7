"""Kept answers where they meet hedges, suspensions, denied streams, services and placeholders."""

import contextlib

import psycopg
import pytest
from django.conf import settings

from policies.models import Attachment
from policies.services.attachments import policy_detach
from tenants.services.apps import app_resume, app_suspend
from tests import books, estate
from tests.caching import how
from tests.gateway.proxy import offered
from tests.gateway.proxy.paced import Paced
from tests.gateway.proxy.test_answers import DENY_ANSWERS
from tests.gateway.proxy.test_once import code, is_replayed, new, once, plain
from tests.gateway.proxy.test_streams import PLACEHOLDERS
from tests.mock_vectors import Vectors
from tests.planting import MAIL
from tests.scripted import stream
from tests.stack import Gateway, eventually

WORDS = stream((0, {"content": "One "}), (0, {"content": "and two."}))
FIRST, REST = WORDS[: WORDS.index(b"\n\n") + 2], WORDS[WORDS.index(b"\n\n") + 2 :]


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@contextlib.contextmanager
def opened(gateway, home, **headers):
    """Open a stream."""
    body = {
        "model": home.model, "stream": True, "messages": [{"role": "user", "content": "Hello"}],
    }  # fmt: skip
    with (
        gateway.client(home.secret) as client,
        client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        yield answer


def ended(home, attempt):
    """Return whether an attempt is closed."""
    return any(one.attempt == attempt for one in books.records(home, "completed"))


def waiting(connection):
    """Return whether anybody waits for what a connection has locked."""
    blocked = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return connection.execute(blocked).fetchone()


def test_case_20_a_second_attempt_that_came_too_late_takes_nothing_of_the_first(gateway):
    """It is admitted while the first answers already, and closed before the first has ended."""
    with (
        Paced(FIRST, REST) as provider,
        psycopg.connect(settings.GATEHOUSE.database_owner_url) as holding,
    ):
        at = estate.provider(provider.base_url)
        route = estate.route(
            (at, "m"), (at, "m2"), price=books.PRICE, cache_ttl_s=3600, hedge_after_ms=50
        )
        home = estate.estate(route, budgets=list(books.HARD), cache=True)

        def hold_the_second_up():
            provider.asked = lambda: None
            lock = "SELECT 1 FROM tenants_tenantepoch WHERE tenant_id = %s FOR UPDATE"
            holding.execute(lock, [home.tenant.id])
            eventually(lambda: waiting(holding))

        provider.asked = hold_the_second_up
        with opened(gateway, home) as answer:
            text = ""
            for data in answer.iter_text():
                text += data
                if "One" in data:
                    holding.commit()
                    eventually(lambda: ended(home, 2))
                    provider.go.release(2)
        ends = eventually(lambda: len(found := books.records(home, "completed")) == 2 and found)
        assert [end.body["charge"] for end in ends] == ["usage", "not_sent"]
        assert "and two." in text
        again = gateway.chat(home.secret, home.model, stream=True)
        assert how(again) == "hit"
        assert "and two." in again.text


def test_case_18_a_call_that_was_cut_off_leaves_its_key_free(gateway):
    with Paced(FIRST, REST) as provider:
        home, key = plain(provider.base_url), new()
        with opened(gateway, home, **{"idempotency-key": key}) as answer:
            text = ""
            for data in answer.iter_text():
                text += data
                if "One" in data:
                    app_suspend(actor=estate.ACTOR, app=home.app)
        assert "tenant_suspended" in text
        app_resume(actor=estate.ACTOR, app=home.app)
        with gateway.client(home.secret) as client:
            eventually(lambda: client.get("/v1/models").status_code == 200)
        provider.go.release(9)
        again = once(gateway, home, key, stream=True)
        assert not is_replayed(again)
        assert "and two." in again.text


def test_what_is_left_of_a_denied_stream_is_no_answer(gateway):
    """While the rule holds it is refused again; without it, it is not passed off as an answer."""
    body = stream((0, {"content": f"To {MAIL} now, "}), (0, {"content": "and more."}))
    end = body.index(b"\n\n") + 2
    with Paced(body[:end], body[end:]) as provider:
        home, key = plain(provider.base_url), new()
        policy = estate.attach(DENY_ANSWERS, tenant=home.tenant)
        home.publish()
        for _ in range(2):
            answer = once(gateway, home, key, stream=True)
            assert code(answer) == (403, "policy_denied")
        assert len(books.holds(home)) == 2
        policy_detach(actor=estate.ACTOR, attachment=Attachment.objects.get(policy=policy))
        home.publish()
        refused = eventually(lambda: allowed(once(gateway, home, key, stream=True)))
        assert "idempotency_conflict" in refused.text
        assert "and more" not in refused.text
        (first, *again) = books.holds(home).values()
        assert first.posted_pico > 0
        assert {hold.posted_pico for hold in again} == {0}


def allowed(answer):
    """Return an answer unless a policy denied it."""
    return None if answer.status_code == 403 else answer


def test_case_20_a_service_is_asked_once_for_a_key(gateway):
    with Vectors() as vectors:
        service = offered.service(vectors.base_url)
        home, key = offered.house(service), {"idempotency-key": new()}
        points = {"points": [{"id": 1, "vector": [1.0, 0.0], "payload": {}}]}
        with gateway.client(home.secret) as client:
            path = f"/services/{service.name}/collections/docs"
            first, again = (
                client.put(f"{path}/points", json=points, headers=key) for _ in range(2)
            )
            assert (first.status_code, is_not_replayed(first)) == (201, True)
            assert (again.status_code, again.json()) == (201, first.json())
            assert again.headers["idempotent-replayed"] == "true"
            assert again.headers["x-gatehouse-cache"] == "bypass"
            assert len(vectors.received) == 1
            assert books.posted(home) == offered.PRICE_MICROS
            other = {"idempotency-key": new()}
            assert client.get(path, headers=other).status_code == 200
            assert code(client.delete(path, headers=other)) == (409, "idempotency_conflict")
            dropped = [client.delete(path, headers={"idempotency-key": "drop"}) for _ in range(2)]
            assert [one.status_code for one in dropped] == [204, 204]
            assert [one.method for one in vectors.received] == ["PUT", "GET", "DELETE"]


def is_not_replayed(answer):
    return "idempotent-replayed" not in answer.headers


def test_case_21_a_kept_answer_is_made_whole_for_its_reader(gateway):
    """What stands for a value in a kept answer becomes the reader's own value."""
    route = estate.route((estate.simulated(), "simulated-echo"), cache_ttl_s=3600)
    home = estate.estate(route, policy=PLACEHOLDERS, cache=True)
    said = {"x-gatehouse-conversation": "one"}
    first = gateway.chat(home.secret, home.model, f"Write to {MAIL} now.", said)
    assert how(first) == "miss"
    assert MAIL in first.text
    other = gateway.chat(home.secret, home.model, "Write to bob@example.org now.", said)
    assert how(other) == "hit"
    assert "bob@example.org" in other.text
    assert MAIL not in other.text
    apart = {"x-gatehouse-conversation": "two"}
    apart = gateway.chat(home.secret, home.model, "Write to bob@example.org now.", apart)
    assert how(apart) == "miss"
    assert "bob@example.org" in apart.text
    assert MAIL not in apart.text
