"""M2: our ledger is the provider's books, attempt by attempt, whatever the provider tells of usage,
and whether the client still listens or not."""

import json
import socket

import pytest

from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_UPSTREAM_TOTAL_S": "2"}) as gateway:
        yield gateway


PLACES = ["end", "first", "middle", "twice", "finish", "every", "after-done"]


@pytest.mark.parametrize("place", PLACES)
def test_usage_counts_wherever_in_a_stream_it_stands(gateway, mock, place):
    """P4: a stream costs what the whole answer costs; in whichever pieces its bytes come."""
    house = books.served((mock.base_url, f"mock-usage-{place}-tokens-9-pieces-7"))
    streamed = gateway.chat(house.secret, house.model, stream=True)
    assert streamed.text.count("data: [DONE]") == 1
    books.holds(house)
    one = books.posted(house)
    whole = gateway.chat(house.secret, house.model)
    books.holds(house)
    first, second = books.entries(mock, house)
    assert one == books.billed(first)
    assert books.posted(house) - one == books.billed(second)
    assert first["output"] == second["output"] == 9
    assert whole.headers["x-gatehouse-cost-micros"] == str(books.billed(second))


@pytest.mark.parametrize("place", ["absent", "zero"])
@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_is_not_told_is_not_free(gateway, mock, place, stream):
    house = books.served((mock.base_url, f"mock-usage-{place}"))
    assert gateway.chat(house.secret, house.model, stream=stream).status_code == 200
    (hold,) = books.holds(house).values()
    (entry,) = books.entries(mock, house)
    assert books.posted(house) == books.micros(hold.bound_pico) > books.billed(entry)


def test_usage_is_asked_for_and_shown_only_to_who_asked(gateway, mock):
    house = books.served((mock.base_url, "mock-usage-end"))
    plain = gateway.chat(house.secret, house.model, stream=True)
    assert '"usage"' not in plain.text
    asked = gateway.chat(
        house.secret, house.model, stream=True, stream_options={"include_usage": True}
    )
    assert asked.text.count('"usage"') == 1
    for entry in books.entries(mock, house):
        assert entry["body"]["stream_options"] == {"include_usage": True}


def test_our_ledger_is_the_providers_books(gateway, mock):
    """Joined on the id that we sent, attempt by attempt, over all kinds of calls."""
    house = books.served((mock.base_url, "mock-status-500"), (mock.base_url, "mock-seed-3"))
    for number in range(6):
        fields = {"n": 1 + number % 3, "stream": number % 2 == 0, "max_tokens": 40}
        assert gateway.chat(house.secret, house.model, f"Hello {number}", **fields).is_success
    holds, theirs = books.holds(house), {e["request_id"]: e for e in books.entries(mock, house)}
    assert holds.keys() == theirs.keys()
    assert len(holds) == 11  # after five failures the first deployment is left alone
    for operation, hold in holds.items():
        expected = books.billed(theirs[operation])
        assert books.micros(hold.posted_pico) == expected
        assert hold.bound_pico >= hold.posted_pico
    assert books.posted(house) == sum(map(books.billed, theirs.values()))
    completed = {
        f"{r.call_id}-{r.attempt}": r.cost_micros for r in books.records(house, "completed")
    }
    assert completed == {name: books.billed(entry) for name, entry in theirs.items()}


def test_embeddings_are_paid_too(gateway, mock):
    house = books.served((mock.base_url, "mock"))
    with gateway.client(house.secret) as client:
        answer = client.post("/v1/embeddings", json={"model": house.model, "input": ["a", "b"]})
    assert len(answer.json()["data"]) == 2
    (entry,) = books.entries(mock, house)
    assert entry["path"] == "/v1/embeddings"
    assert answer.headers["x-gatehouse-cost-micros"] == str(books.billed(entry))
    assert books.posted(house) == books.billed(entry)


@pytest.mark.parametrize("stream", [False, True])
def test_who_hangs_up_pays_what_the_provider_billed(gateway, mock, stream):
    """P5: before the first byte of an answer, and in the middle of one."""
    house = books.served((mock.base_url, "mock-latency-300-pace-50-tokens-10"))
    body = json.dumps(
        {"model": house.model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    )
    with socket.create_connection(("127.0.0.1", gateway.port)) as connection:
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.secret}"
            f"\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall((head + body).encode())
        if stream:
            connection.recv(500)
        else:
            eventually(lambda: not books.settled(house))
    eventually(lambda: books.records(house, "completed"))
    (entry,) = books.entries(mock, house)
    assert entry["finished"]
    assert books.posted(house) == books.billed(entry) > 0


def test_who_does_not_read_pays_too_and_is_let_go(gateway, mock):
    """The time that any answer may take ends also for who leaves it lying in the sockets."""
    model = estate.name("mock-unread")
    mock.behave(model, content=" ".join(["x" * 4000] * 5000))
    house = books.served((mock.base_url, model))
    message = {"role": "user", "content": "Hi"}
    body = json.dumps(
        {"model": house.model, "stream": True, "max_tokens": 4096, "messages": [message]}
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", gateway.port))
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.secret}"
            f"\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        connection.sendall((head + body).encode())
        eventually(lambda: books.records(house, "completed"), 5)
        eventually(lambda: any(line.get("code") == "upstream_timeout" for line in gateway.lines()))
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_the_cap_is_always_sent_and_the_bound_covers_all_that_was_sent(gateway, mock):
    house = books.served((mock.base_url, "mock-seed-1"))
    asked = [{}, {"max_tokens": 7}, {"max_completion_tokens": 7}, {"max_tokens": 100_000}]
    for fields in asked:
        assert gateway.chat(house.secret, house.model, "é\n" * 50, **fields).is_success
    sent = [
        entry["body"].get("max_tokens") or entry["body"].get("max_completion_tokens")
        for entry in books.entries(mock, house)
    ]
    assert sent == [256, 7, 7, 4096]
    for entry, cap in zip(books.entries(mock, house), sent, strict=True):
        hold = books.holds(house)[entry["request_id"]]
        assert books.micros(hold.bound_pico) >= entry["bytes"] + 2 * cap


def test_the_bound_covers_what_redaction_adds(gateway, mock):
    """Short addresses become longer words: a token is at least a byte of what is sent."""
    route = estate.route((estate.provider(mock.base_url), "mock"), price=books.PRICE)
    mask = (
        "policy: {name}\ndefault: permit\nrules:\n  - id: mask\n    when: pii.count > 0\n"
        "    redact: {kinds: all, min_score: 0.1, method: mask}\n"
    )
    house = estate.estate(route, policy=mask, budgets=list(books.HARD))
    text = " ".join(f"a{n}@b.co" for n in range(200))
    assert gateway.chat(house.secret, house.model, text, max_tokens=5).is_success
    (entry,) = books.entries(mock, house)
    assert "@b.co" not in str(entry["body"])
    (hold,) = books.holds(house).values()
    assert books.micros(hold.bound_pico) >= entry["bytes"] + 2 * 5


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    log = gateway.output()
    assert "internal_error" not in log
    assert "hold_overrun" not in log
