"""Providers that fail: what the client hears, who is tried next, and what is paid. The provider's
own books say what really happened."""

import asyncio
import gzip
import json
import socket

import pytest
from django.core.exceptions import ValidationError

from gateway.bundle import Deployment, Route
from gateway.exchange import Call, Endpoint, Outgoing, Permitted, View
from gateway.models import Provider
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.forward import Sending, forward
from gateway.proxy.upstream import Pools, Timeouts
from gateway.services.providers import provider_create
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.scripted import Scripted, completion
from tests.stack import Gateway, eventually

UPSTREAM_SECRET = "sk-upstream-canary"
ANSWER = completion({"content": "hi"})


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    environ = {
        "GATEHOUSE_UPSTREAM_CONNECT_S": "1",
        "GATEHOUSE_UPSTREAM_FIRST_BYTE_S": "0.4",
        "GATEHOUSE_UPSTREAM_IDLE_S": "1",
        "GATEHOUSE_UPSTREAM_TOTAL_S": "2",
    }
    with Gateway(environ=environ) as gateway:
        yield gateway


def code(answer):
    assert UPSTREAM_SECRET not in f"{answer.text}{answer.headers}"
    return answer.status_code, answer.json()["error"]["code"]


def refused_port():
    """Return a port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# What the client hears, and what is paid


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, (400, "upstream_rejected")),
        (401, (502, "upstream_credential_rejected")),
        (403, (502, "upstream_credential_rejected")),
        (404, (400, "upstream_rejected")),
        (409, (400, "upstream_rejected")),
        (422, (400, "upstream_rejected")),
        (429, (429, "upstream_rate_limited")),
        (500, (502, "upstream_error")),
        (503, (502, "upstream_error")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_status_is_told_and_costs_nothing(gateway, mock, status, expected, stream):
    house = books.served((mock.base_url, f"mock-status-{status}"))
    answer = gateway.chat(house.secret, house.model, stream=stream)
    assert code(answer) == expected
    (hold,) = books.holds(house).values()
    assert (hold.state, hold.posted_pico, books.posted(house)) == ("settled", 0, 0)
    completed = books.record(house, "completed")
    assert (completed.code, completed.cost_micros) == (expected[1], 0)
    assert completed.body["charge"] == "not_billed"


def test_what_the_provider_says_is_told_without_our_secret(gateway, mock):
    house = books.served((mock.base_url, "mock-talks"))
    said = f"Incorrect key {UPSTREAM_SECRET} for\r\nthis\x00 request"
    mock.behave("mock-talks", status=400, message=said)
    answer = gateway.chat(house.secret, house.model)
    assert answer.json()["error"]["message"] == (
        "The provider refused: Incorrect key *** for this request"
    )


def test_a_provider_that_limits_us_says_for_how_long(gateway, mock):
    house = books.served((mock.base_url, "mock-status-429-retry_after-7"))
    answer = gateway.chat(house.secret, house.model)
    assert answer.headers["retry-after"] == "7"
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("garbage", (502, "upstream_error")),
        ("cut", (502, "upstream_error")),
        ("reset", (502, "upstream_error")),
        ("hang", (504, "upstream_timeout")),
    ],
)
def test_an_answer_that_is_none_is_told_and_costs_the_whole_bound(gateway, mock, mode, expected):
    """Whoever was asked may bill: what reached us does not bound it."""
    house = books.served((mock.base_url, f"mock-{mode}"))
    answer = gateway.chat(house.secret, house.model, max_tokens=20)
    assert code(answer) == expected
    (hold,) = books.holds(house).values()
    (entry,) = books.entries(mock, house)
    assert hold.posted_pico == hold.bound_pico
    assert books.posted(house) == books.micros(hold.bound_pico) >= books.billed(entry)
    if mode == "hang":
        assert answer.elapsed.total_seconds() < 0.9
        assert eventually(lambda: books.entries(mock, house)[0]["cut_off"])


@pytest.mark.parametrize("mode", ["garbage", "cut"])
def test_half_a_stream_ends_with_an_error_and_costs_the_whole_bound(gateway, mock, mode):
    house = books.served((mock.base_url, f"mock-{mode}"))
    answer = gateway.chat(house.secret, house.model, stream=True, max_tokens=20)
    assert answer.status_code == 200
    events = answer.text.split("\n\n")
    error = json.loads(events[-3].removeprefix("data: "))["error"]
    assert error["code"] == "upstream_error"
    assert error["decision_id"] == answer.headers["x-gatehouse-decision-id"]
    assert events[-2:] == ["data: [DONE]", ""]
    assert "no JSON" not in answer.text
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico
    assert books.record(house, "completed").body["charge"] == "bound"


def test_a_stream_that_stalls_is_ended_within_the_idle_time(gateway, mock):
    house = books.served((mock.base_url, "mock-pace-5000"))
    answer = gateway.chat(house.secret, house.model, stream=True)
    assert '"code":"upstream_timeout"' in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    assert 0.9 < answer.elapsed.total_seconds() < 1.8
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico


def test_a_stream_that_goes_on_for_too_long_is_ended(gateway, mock):
    house = books.served((mock.base_url, "mock-pace-100-tokens-200"))
    answer = gateway.chat(house.secret, house.model, stream=True, max_tokens=200)
    assert '"code":"upstream_timeout"' in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    assert 1.8 < answer.elapsed.total_seconds() < 3
    assert eventually(lambda: books.entries(mock, house)[0]["cut_off"])


def test_a_pause_before_the_first_byte_is_no_pause_between_two(gateway, mock):
    """0.4 s are too long to begin, but not to go on."""
    house = books.served((mock.base_url, "mock-pace-500-tokens-0"))
    answer = gateway.chat(house.secret, house.model, stream=True)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "error" not in answer.text


def test_nobody_there_costs_nothing(gateway):
    house = books.served((f"http://127.0.0.1:{refused_port()}/v1", "mock"))
    answer = gateway.chat(house.secret, house.model)
    assert code(answer) == (502, "upstream_error")
    assert "could not be reached" in answer.json()["error"]["message"]
    assert books.record(house, "completed").body["charge"] == "not_sent"
    books.holds(house)
    assert books.posted(house) == 0


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (302, {"location": "{mock}/chat/completions"}, ANSWER),
        (307, {"location": "{mock}/chat/completions"}, b""),
        (204, {}, b""),
        (200, {"content-encoding": "compress"}, ANSWER),
        (200, {"content-encoding": "gzip, br"}, ANSWER),
        (200, {"content-encoding": "gzip"}, ANSWER),
        (200, {"content-encoding": "gzip"}, gzip.compress(ANSWER)[:-9]),
        (200, {}, b'{"error": {"message": "in the body"}}'),
        (200, {}, b'{"choices": {}}'),
        (200, {}, b"[]"),
        (200, {}, b'{"choices": [{"message": "text"}]}'),
    ],
    ids=[
        "302", "307", "204", "coding", "codings", "no gzip", "half gzip", "error", "no list",
        "a list", "no message",
    ],
)  # fmt: skip
def test_what_is_no_answer_is_not_passed_on(gateway, mock, status, headers, body):
    headers = {name: value.replace("{mock}", mock.base_url) for name, value in headers.items()}
    before = len(mock.books())
    with Scripted(body, status, headers) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model)
        assert code(answer) == (502, "upstream_error")
        assert len(provider.bodies) == 1
    assert len(mock.books()) == before  # no redirect was followed
    books.holds(house)
    assert books.record(house, "completed").body["charge"] == "bound"


def test_an_answer_beyond_any_size_is_not_kept(gateway):
    with Scripted(completion({"content": "x" * (17 << 20)})) as provider:
        house = books.served((provider.base_url, "mock"))
        answer = gateway.chat(house.secret, house.model)
    assert code(answer) == (502, "upstream_error")
    assert "larger than" in answer.json()["error"]["message"]


# Who is tried next


@pytest.mark.parametrize(
    "fault", ["status-500", "status-429", "status-401", "reset", "hang", "refused"]
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_next_deployment_answers_when_one_fails(gateway, mock, fault, stream):
    first = (mock.base_url, f"mock-{fault}")
    if fault == "refused":
        first = (f"http://127.0.0.1:{refused_port()}/v1", "mock")
    house = books.served(first, (mock.base_url, "mock-tokens-3"))
    answer = gateway.chat(house.secret, house.model, stream=stream, max_tokens=20)
    assert answer.status_code == 200
    assert "word2" in answer.text
    holds = books.holds(house)
    call = answer.headers["x-request-id"]
    assert list(holds) == [f"{call}-1", f"{call}-2"]
    last = books.entries(mock, house)[-1]
    assert (last["request_id"], last["model"]) == (f"{call}-2", "mock-tokens-3")
    assert books.micros(holds[f"{call}-2"].posted_pico) == books.billed(last)
    silent = fault in {"reset", "hang"}  # it may have billed, and in fact it did
    bound = holds[f"{call}-1"].bound_pico
    assert holds[f"{call}-1"].posted_pico == (bound if silent else 0)


def test_deployments_are_tried_by_priority_until_none_is_left(gateway, mock):
    house = books.served(*((mock.base_url, f"mock-status-{status}") for status in (503, 500, 429)))
    answer = gateway.chat(house.secret, house.model)
    assert code(answer) == (429, "upstream_rate_limited")  # what the last one said
    tried = [entry["model"] for entry in books.entries(mock, house)]
    assert tried == ["mock-status-503", "mock-status-500", "mock-status-429"]


@pytest.mark.parametrize("fault", ["status-400", "status-404", "status-422", "garbage"])
def test_nobody_else_is_tried_for_what_is_wrong_with_the_call_or_was_answered(gateway, mock, fault):
    house = books.served((mock.base_url, f"mock-{fault}"), (mock.base_url, "mock"))
    assert gateway.chat(house.secret, house.model).status_code in (400, 502)
    assert len(books.entries(mock, house)) == 1


@pytest.mark.parametrize("fault", ["cut", "garbage", "pace-5000"])
def test_nobody_else_is_tried_in_the_middle_of_an_answer(gateway, mock, fault):
    house = books.served((mock.base_url, f"mock-{fault}"), (mock.base_url, "mock"))
    answer = gateway.chat(house.secret, house.model, stream=True)
    assert answer.text.count('"role":"assistant"') == 1
    assert answer.text.endswith("data: [DONE]\n\n")
    assert len(books.entries(mock, house)) == 1


def permitted(host, port, *, allow_private):
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    base_url = f"http://{host}:{port}/v1"
    deployment = Deployment("d", "p", "openai", base_url, allow_private, "mock", 1, 0, "", (), None)
    call = Call(Endpoint.CHAT, "m", body, 60, View((), (), ()))
    outgoing = Outgoing(Endpoint.CHAT, {**body, "model": "mock", "max_tokens": 5})
    return Permitted(call, body, 5, Route("m", 10, 10, (deployment,)), deployment, outgoing)


async def send(call, request_id="one"):
    """Forward a call as a worker does; return the answer's bytes."""
    pools = Pools(Timeouts(1, 1, 1, 2))
    try:
        async with forward(call, Sending(None, request_id, 0.0), pools) as response:
            return await response.read()
    finally:
        await pools.close()


def test_a_connection_that_fails_is_tried_once_more(mock, monkeypatch):
    """Nothing was sent, so it is the same attempt. What fails here is the look-up of the name."""
    find, asked = socket.getaddrinfo, []

    def flaky(host, *args, **options):
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return find(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", flaky)
    port = int(mock.origin.rsplit(":", 1)[1])
    raw = asyncio.run(send(permitted("localhost", port, allow_private=True), "once-more"))
    assert json.loads(raw)["object"] == "chat.completion"
    assert asked == ["localhost", "localhost"]
    assert [e["request_id"] for e in mock.books()].count("once-more") == 1


def test_an_attempt_that_is_cancelled_while_it_reads_an_error_leaves_no_connection():
    async def run():
        closed = asyncio.Event()

        async def failing(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 99\r\n\r\n")
            await reader.read()
            closed.set()
            writer.close()

        server = await asyncio.start_server(failing, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        call = permitted("127.0.0.1", port, allow_private=True)
        pools = Pools(Timeouts(1, 30, 30, 30))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                async with forward(call, Sending(None, "one", 0.0), pools):
                    raise AssertionError("an error is no answer")
        async with asyncio.timeout(5):
            await closed.wait()
        await pools.close()
        server.close()

    asyncio.run(run())


# What the provider may learn, and where it may be


ALLOWED = {
    "host", "accept", "authorization", "content-length", "content-type", "user-agent",
    "x-request-id",
}  # fmt: skip


@pytest.mark.parametrize("secret", [UPSTREAM_SECRET, ""])
def test_the_provider_gets_our_headers_and_none_of_the_clients(gateway, mock, secret):
    route = estate.route((estate.provider(mock.base_url, secret), "mock"))
    house = estate.estate(route)
    planted = {
        "cookie": "session=canary",
        "user-agent": "canary",
        "x-api-key": house.secret,
        "api-key": house.secret,
        "openai-organization": "canary",
        "x-forwarded-for": "192.0.2.7",
        "x-request-id": "canary",
        "x-gatehouse-user": "canary",
        "x-gatehouse-conversation": "canary",
        "traceparent": "00-canary",
        "accept-encoding": "gzip, br",
        "x-stainless-lang": "canary",
    }
    answer = gateway.chat(house.secret, house.model, headers=planted)
    assert answer.is_success
    operation = f"{answer.headers['x-request-id']}-1"
    (entry,) = [entry for entry in mock.books() if entry["request_id"] == operation]
    headers = entry["headers"]
    assert headers.keys() <= ALLOWED
    assert headers.get("authorization") == (f"Bearer {secret}" if secret else None)
    assert house.secret not in str(entry)
    assert "canary" not in str(headers).replace(UPSTREAM_SECRET, "")


INSIDE = ["127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", INSIDE)
def test_ssrf_a_provider_that_must_be_public_is_not_called_inside(gateway, mock, host):
    """An administrator is refused first; a row from elsewhere is refused where we connect."""
    port = mock.origin.rsplit(":", 1)[1]
    with pytest.raises(ValidationError):
        provider_create(
            actor=estate.ACTOR,
            name=estate.name("inside"),
            dialect="openai",
            base_url=f"https://{host}:{port}/v1" if host in INSIDE[:3] else f"http://{host}/v1",
        )
    at = estate.provider(f"http://{host}:{port}/v1")
    Provider.objects.filter(pk=at.pk).update(allow_private=False)
    house = estate.estate(estate.route((at, "mock")))
    before = len(mock.books())
    assert code(gateway.chat(house.secret, house.model)) == (502, "upstream_error")
    assert len(mock.books()) == before
    assert books.record(house, "completed").body["charge"] == "not_sent"


@pytest.mark.parametrize(
    "host", ["[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[fe80::1]", "169.254.169.254", "10.0.0.1"]
)
def test_ssrf_an_address_that_leads_inside_is_never_connected_to(host):
    with pytest.raises(AttemptFailed) as caught:
        asyncio.run(send(permitted(host, 9, allow_private=False)))
    assert not caught.value.sent
    assert "not public" in caught.value.refusal.message


def test_the_upstream_secret_is_nowhere(gateway, mock):
    """After all of the above: in no record, log, metric or event; `code` looks at the answers."""
    from audit.models import Event, Record  # noqa: PLC0415

    assert any(UPSTREAM_SECRET in str(entry["headers"]) for entry in mock.books())
    with gateway.client() as client:
        assert UPSTREAM_SECRET not in client.get("/metrics").text
    assert UPSTREAM_SECRET not in gateway.output()
    assert not Record.objects.filter(body__icontains=UPSTREAM_SECRET).exists()
    written = Event.objects.values_list("before", "after", "object_name", "reason")
    assert UPSTREAM_SECRET not in str(list(written))


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    log = gateway.output()
    assert "internal_error" not in log
    assert "hold_overrun" not in log
