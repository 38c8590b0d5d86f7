"""What is wrong with a request is said at once, in JSON, without a trace of ours in it."""

import socket

import orjson
import pytest

from tests import estate
from tests.stack import Gateway

MAX_BODY = 64 * 1024


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(estate.route((estate.simulated(), "simulated")))


@pytest.fixture(scope="module")
def gateway(db):
    environ = {"GATEHOUSE_MAX_BODY_BYTES": str(MAX_BODY), "GATEHOUSE_BODY_READ_S": "1"}
    with Gateway(environ=environ) as gateway:
        yield gateway


@pytest.fixture
def client(gateway, house):
    with gateway.client(house.secret) as client:
        yield client


def code(response):
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert isinstance(error["code"], str)
    assert {"message", "type", "param", "decision_id", "rule", "policy", "remedy"} <= error.keys()
    assert "Traceback" not in response.text
    return response.status_code, error["code"]


def post(client, content, **options):
    headers = {"content-type": "application/json"} | options.pop("headers", {})
    return client.post("/v1/chat/completions", content=content, headers=headers, **options)


def chat(house, **fields):
    return orjson.dumps(
        {"model": house.model, "messages": [{"role": "user", "content": "Hello"}], **fields}
    )


USER = b'{"model": "M", "messages": [{"role": "user", "content": "x"}]'

BROKEN = {
    "no JSON": b"hello",
    "half": b'{"model": "x", "messages": [',
    "empty": b"",
    "a list": b"[]",
    "a string": b'"x"',
    "NaN": USER + b', "temperature": NaN}',
    "infinity": USER + b', "top_p": 1e999}',
    "invalid UTF-8": b'{"model": "M", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "a lone surrogate": b'{"model": "M", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "U+0000": b'{"model": "M", "messages": [{"role": "user", "content": "a\\u0000b"}]}',
    "a key twice": b'{"model": "M", "model": "M", "messages": [{"role": "user", "content": "x"}]}',
    "a key twice deep": (
        b'{"model": "M", "messages": [{"role": "user", "role": "system", "content": "x"}]}'
    ),
    "200 deep": USER + b', "metadata": ' + b"[" * 200 + b"]" * 200 + b"}",
    "no model": b'{"messages": [{"role": "user", "content": "x"}]}',
    "no messages": b'{"model": "M"}',
    "empty messages": b'{"model": "M", "messages": []}',
    "messages of numbers": b'{"model": "M", "messages": [1]}',
    "a role of nobody": b'{"model": "M", "messages": [{"role": "root", "content": "x"}]}',
    "n as text": USER + b', "n": "2"}',
    "n of a million": USER + b', "n": 1000000}',
    "a negative cap": USER + b', "max_tokens": -1}',
    "a huge cap": USER + b', "max_tokens": 1' + b"0" * 400 + b"}",
    "two caps": USER + b', "max_tokens": 1, "max_completion_tokens": 2}',
    "stream as text": USER + b', "stream": "yes"}',
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_is_a_400_that_says_why(client, house, body):
    response = post(client, body.replace(b'"M"', orjson.dumps(house.model)))
    assert code(response) == (400, "invalid_request")
    assert response.json()["error"]["decision_id"] is None
    assert len(response.json()["error"]["message"]) > 10


def test_keys(gateway, house):
    good = house.secret
    wrong = {
        "": "invalid_api_key",
        "sk-something-else": "invalid_api_key",
        good[:-1] + ("0" if good[-1] != "0" else "1"): "invalid_api_key",
        good[:5] + ("A" if good[5] != "A" else "B") + good[6:]: "invalid_api_key",
        "gth_" + "\u00e9" * 60: "invalid_api_key",
        "' OR 1=1 --": "invalid_api_key",
    }
    for secret, expected in wrong.items():
        with gateway.client() as client:
            headers = {"authorization": b"Bearer " + secret.encode()} if secret else {}
            response = client.post("/v1/chat/completions", content=chat(house), headers=headers)
        assert code(response) == (401, expected)
        assert good not in response.text


@pytest.mark.parametrize("header", ["x-api-key", "api-key"])
def test_other_dialects_headers_carry_the_key_too(gateway, house, header):
    with gateway.client() as client:
        response = post(client, chat(house), headers={header: house.secret})
    assert response.status_code == 200


def test_a_key_in_the_address_is_refused_even_when_it_is_right(gateway, house):
    with gateway.client(house.secret) as client:
        response = post(client, chat(house), params={"api_key": house.secret})
    assert code(response) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/chat/completions", (405, "method_not_allowed")),
        ("POST", "/v1/models", (405, "method_not_allowed")),
        ("POST", "/v1/nothing", (404, "not_found")),
        ("POST", "/v1/chat/completions/", (404, "not_found")),
        ("POST", "/v1//chat/completions", (404, "not_found")),
        ("POST", "/v1/files", (501, "not_governable")),
        ("POST", "/v1/batches", (501, "not_governable")),
        ("GET", "/v1/realtime", (501, "not_governable")),
        ("POST", "/v1/responses/resp_1/cancel", (501, "not_governable")),
        ("GET", "/v1/models/no-such-model", (404, "model_not_found")),
    ],
)
def test_paths(client, method, path, expected):
    assert code(client.request(method, path)) == expected


def test_what_is_no_plain_json_is_a_415(client, house):
    for headers in (
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-encoding": "compress"},
    ):
        assert code(post(client, chat(house), headers=headers)) == (415, "unsupported_media_type")


def test_a_body_above_the_limit_is_a_413(client, house):
    response = post(client, chat(house, metadata={"x": "y" * MAX_BODY}))
    assert code(response) == (413, "request_too_large")


def test_a_body_above_the_limit_in_chunks_is_a_413(client, house):
    def pieces():
        for _ in range(MAX_BODY // 1024 + 2):
            yield b"x" * 1024

    assert code(post(client, pieces())) == (413, "request_too_large")


def test_models_that_this_app_may_not_call(db, client, house):
    assert code(post(client, chat(house, model="no-such-model"))) == (404, "model_not_found")
    foreign = estate.route((estate.simulated(), "simulated"))
    assert code(post(client, chat(house, model=foreign.name))) == (404, "model_not_found")


def test_tags_must_be_declared_and_well_formed(client, house):
    for tags in ("team", "team=a,team=b", "nobody=knows", "team=a b"):
        response = post(client, chat(house), headers={"x-gatehouse-tags": tags})
        assert code(response) == (400, "invalid_request")


def raw(gateway, data, patience_s=15):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=patience_s) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            head, _, body = answer.partition(b"\r\n\r\n")
            if b"content-length" in head.lower():
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if len(body) >= length:
                    break
        return int(answer.split(b" ")[1]), orjson.loads(body)["error"]["code"]


def test_a_head_above_64_kib_is_a_431(gateway):
    head = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 70_000
    assert raw(gateway, head) == (431, "headers_too_large")  # not even complete
    assert raw(gateway, head + b"\r\n\r\n") == (431, "headers_too_large")
    many = b"".join(b"x-%d: %s\r\n" % (n, b"v" * 100) for n in range(700))
    assert raw(gateway, b"GET /v1/models HTTP/1.1\r\n" + many + b"\r\n") == (
        431,
        "headers_too_large",
    )


def test_what_is_no_http_is_a_400_in_json(gateway):
    assert raw(gateway, b"HELLO THERE\r\n\r\n") == (400, "invalid_request")


def test_a_head_that_never_ends_is_a_408(gateway):
    assert raw(gateway, b"GET /v1/models HTTP/1.1\r\nhost:") == (408, "request_timeout")


def test_a_body_that_does_not_come_is_a_408(gateway, house):
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {house.secret}\r\n"
        "content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
    )
    assert raw(gateway, head.encode()) == (408, "request_timeout")


def test_nothing_of_this_made_a_500_or_a_secret_in_the_log(gateway, house):
    log = gateway.output()
    assert "internal_error" not in log
    assert house.secret not in log
    assert house.secret.split("_")[2] not in log


def test_trailers_without_end_close_the_connection(gateway):
    """What follows the last chunk is counted too: nobody fills a worker's memory with it."""
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
        b"content-type: application/json\r\n\r\n0\r\n"
    )
    line = b"x-more: " + b"y" * 1000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(20_000):
                connection.sendall(line)


def test_a_body_that_goes_on_after_its_answer_is_ended(gateway):
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 401 ")
