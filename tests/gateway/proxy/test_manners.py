"""HTTP manners on the client's side: content codings, OPTIONS and HEAD, pages of other origins."""

import socket

import httpx
import orjson
import pytest

from gateway.proxy.coding import WORTHWHILE_BYTES
from tenants.services.tenants import tenant_update
from tests import estate
from tests.gateway.proxy.test_coding import FOLD
from tests.stack import Gateway

MOST = 100_000
LONG = "word " * 4000


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_MAX_BODY_BYTES": str(MOST)}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(estate.route((estate.simulated(), "simulated-echo"), max_output=100_000))


def body(house, text="Hello", **fields):
    said = {"model": house.model, "messages": [{"role": "user", "content": text}], **fields}
    return orjson.dumps(said)


def send(gateway, house, content, **headers):
    with gateway.client(house.secret) as client:
        return client.post(
            "/v1/chat/completions",
            content=content,
            headers={"content-type": "application/json", **headers},
        )


def said(answer):
    return answer.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("coding", FOLD)
def test_a_folded_body_is_read_as_the_plain_one(gateway, house, coding):
    folded = FOLD[coding](body(house, "Grüße"))
    assert said(send(gateway, house, folded, **{"content-encoding": coding})) == "Grüße"


@pytest.mark.parametrize("coding", FOLD)
def test_a_bomb_is_refused_as_too_large(gateway, house, coding):
    bomb = FOLD[coding](body(house, "\0" * 0 + "a" * (64 * 1024 * 1024)))
    answer = send(gateway, house, bomb, **{"content-encoding": coding})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("coding", FOLD)
def test_a_body_that_is_not_what_its_coding_says_is_refused(gateway, house, coding):
    folded = FOLD[coding](body(house))
    for broken in (b"garbage", folded[:-4], b""):
        answer = send(gateway, house, broken, **{"content-encoding": coding})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
        assert coding in answer.json()["error"]["message"]


def test_a_coding_that_is_not_read_is_refused_with_those_that_are(gateway, house):
    answer = send(gateway, house, body(house), **{"content-encoding": "compress"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert "gzip" in answer.json()["error"]["remedy"]


@pytest.mark.parametrize("coding", FOLD)
def test_a_long_answer_comes_folded_to_who_takes_it(gateway, house, coding):
    content = body(house, LONG, max_tokens=50_000)
    plain = send(gateway, house, content, **{"accept-encoding": "identity"})
    folded = send(gateway, house, content, **{"accept-encoding": coding})
    assert "content-encoding" not in plain.headers
    assert folded.headers["content-encoding"] == coding
    assert int(folded.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert plain.headers["vary"] == folded.headers["vary"] == "accept-encoding"
    assert said(folded) == said(plain) == LONG


def test_a_short_answer_and_a_stream_stay_plain(gateway, house):
    short = send(gateway, house, body(house), **{"accept-encoding": "gzip, br, zstd"})
    assert len(short.content) < WORTHWHILE_BYTES
    stream = send(
        gateway, house, body(house, LONG, stream=True), **{"accept-encoding": "gzip, br, zstd"}
    )
    for answer in (short, stream):
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers


def test_head_tells_what_get_would_and_leaves_the_connection_whole(gateway, house):
    with gateway.client(house.secret) as client:
        got = client.get("/v1/models")
        head = client.head("/v1/models")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
        assert client.get("/v1/models").json() == got.json()
        assert client.head("/v1/chat/completions").status_code == 405


def test_pipelined_requests_are_answered_in_their_order(gateway, house):
    """The second and third are sent before the first is answered."""
    texts = ("one", "two", "three")
    requests = b""
    for text in texts:
        content = body(house, text)
        requests += (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s"
            % (house.secret.encode(), len(content), content)
        )
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(requests)
        heard = b""
        while heard.count(b'"finish_reason"') < len(texts):
            heard += connection.recv(65536)
    places = [heard.index(b'"content":"%s"' % text.encode()) for text in texts]
    assert places == sorted(places)
    assert heard.count(b"HTTP/1.1 200 OK") == len(texts)


PAGE = "https://app.example"
PREFLIGHT = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}


def test_a_preflight_needs_no_key_and_tells_nothing_of_anybody(gateway):
    answer = httpx.options(f"{gateway.base_url}/v1/chat/completions", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.content == b""
    allowed = {name: answer.headers[name] for name in answer.headers if "access-control" in name}
    assert allowed == {
        "access-control-allow-origin": PAGE,
        "access-control-allow-methods": "GET, HEAD, POST, OPTIONS",
        "access-control-allow-headers": PREFLIGHT["access-control-request-headers"],
        "access-control-max-age": "600",
    }


def test_options_without_a_page_tells_the_methods(gateway):
    answer = httpx.options(f"{gateway.base_url}/v1/models")
    assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert not [name for name in answer.headers if "access-control" in name]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("origins", "origin", "may_read"),
    [
        ((), PAGE, False),
        (("https://other.example",), PAGE, False),
        ((PAGE, "https://other.example"), PAGE, True),
        ((PAGE,), "https://app.example.evil.example", False),
        (("*",), "http://anywhere.example:8080", True),
    ],
)
def test_an_answer_is_shown_to_the_pages_that_the_tenant_names(
    gateway, origins, origin, may_read, stream
):
    house = estate.estate(estate.route((estate.simulated(), "simulated")))
    tenant_update(actor=estate.ACTOR, tenant=house.tenant, cors_origins=origins)
    assert house.publish()
    answer = send(gateway, house, body(house, stream=stream), origin=origin)
    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == (origin if may_read else None)
    assert ("x-gatehouse-policy" in answer.headers.get("access-control-expose-headers", "")) is (
        may_read
    )


def test_a_refusal_is_shown_to_the_page_too(gateway):
    house = estate.estate(estate.route((estate.simulated(), "simulated")))
    tenant_update(actor=estate.ACTOR, tenant=house.tenant, cors_origins=[PAGE])
    assert house.publish()
    answer = send(gateway, house, b"{}", origin=PAGE)
    assert answer.status_code == 400
    assert answer.headers["access-control-allow-origin"] == PAGE
