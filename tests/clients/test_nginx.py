"""Behind a real NGINX: the caller's address is the caller's, streams are not held back, and both
sides agree on where each message ends."""

import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.stack import Gateway, eventually

CALLER = "127.0.0.2"
CONF = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream gatehouse {{ server 127.0.0.1:{gateway}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://gatehouse;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header connection "";
      proxy_set_header host $host;
      proxy_set_header x-forwarded-for $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway(environ={"GATEHOUSE_TRUSTED_PROXIES": "127.0.0.1/32"}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def nginx(gateway, tmp_path_factory):
    """The origin of an NGINX in front of the gateway."""
    program = shutil.which("nginx")
    assert program, "NGINX is not there"
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    conf = folder / "nginx.conf"
    conf.write_text(CONF.format(folder=folder, gateway=gateway.port, port=port))
    with subprocess.Popen([program, "-c", conf, "-p", folder]) as process:
        try:
            eventually(lambda: answers(port))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answers(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    except httpx.TransportError:
        return False


def served(mock, model):
    return estate.estate(estate.route((estate.provider(mock.base_url), model)))


def asked(house, **fields):
    return {"model": house.model, "messages": [{"role": "user", "content": "Hi"}], **fields}


@pytest.fixture
def client(nginx):
    """A client at an address of its own."""
    transport = httpx.HTTPTransport(local_address=CALLER)
    with httpx.Client(base_url=nginx, transport=transport, timeout=30) as client:
        yield client


def key(house, **more):
    return {"authorization": f"Bearer {house.secret}", **more}


def test_the_callers_address_is_recorded_whatever_the_caller_claims(client, mock):
    house = served(mock, "mock")
    claims = key(house, **{"x-forwarded-for": "6.6.6.6, 127.0.0.1"})
    answer = client.post("/v1/chat/completions", json=asked(house), headers=claims)
    assert answer.status_code == 200
    assert books.record(house, "admitted").body["source"] == CALLER


def test_a_stream_arrives_as_it_is_made(client, mock):
    """The first words are here while the provider still holds back the last."""
    house = served(mock, "mock-pace-100")
    body = asked(house, stream=True)
    with client.stream("POST", "/v1/chat/completions", json=body, headers=key(house)) as answer:
        lines = answer.iter_lines()
        assert "assistant" in next(lines)
        (entry,) = [found for found in mock.books() if found["model"] == "mock-pace-100"]
        assert entry["finished"] is False
        assert [line for line in lines if line][-1] == "data: [DONE]"


def test_many_calls_over_few_connections_get_each_its_own_answer(nginx, mock):
    house = served(mock, "mock-echo")

    def ask(number):
        body = {"model": house.model, "messages": [{"role": "user", "content": f"n{number}"}]}
        if number % 3 == 0:
            body["stream"] = True
        found = client.post("/v1/chat/completions", json=body, headers=key(house))
        return f"n{number}" in found.text

    with (
        httpx.Client(base_url=nginx, timeout=30) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert all(pool.map(ask, range(60)))


def test_a_refusal_before_the_body_was_read_leaves_the_next_call_whole(nginx, mock):
    """The connection behind NGINX is used again: what is left of a body must not be a request."""
    house, address = served(mock, "mock"), f"{nginx}/v1/chat/completions"
    for _ in range(5):
        refused = httpx.post(
            address,
            content=b"x" * 300_000,
            headers={"authorization": "Bearer wrong", "content-type": "application/json"},
        )
        assert refused.status_code == 401
        assert httpx.post(address, json=asked(house), headers=key(house)).status_code == 200
