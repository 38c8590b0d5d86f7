"""Addresses below /services, byte by byte: only what is declared, and only in one reading."""

import socket

import pytest

from tests.gateway.proxy.offered import house, service
from tests.mock_vectors import Vectors
from tests.stack import Gateway

GOOD = "/collections/docs/points/search"
BODY = b'{"vector":[1.0]}'


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def server():
    with Vectors() as vectors:
        yield vectors


@pytest.fixture
def vectors(server):
    server.reset()
    return server


@pytest.fixture(scope="module")
def offered(db, server):
    return service(server.base_url)


@pytest.fixture(scope="module")
def home(offered):
    return house(offered)


def send(gateway, home, line, body=BODY, headers=b""):
    """Send a request line as it stands; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        head = (
            line.encode("latin-1") + b" HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
            b"authorization: Bearer " + home.secret.encode() + b"\r\n"
            b"content-type: application/json\r\n" + headers
        )
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        with connection.makefile("rb") as file:
            answer = file.read()
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("path", "reaches"),
    [
        (GOOD, GOOD),
        ("/collections/d%6Fcs/points/search", GOOD),  # decoded once, and written anew
        ("/coll%65ctions/docs/points/search", GOOD),
        (f"{GOOD}?wait=true&timeout=5", f"{GOOD}?wait=true&timeout=5"),
        (f"{GOOD}?wait=a%26b%3Dc%23;x", f"{GOOD}?wait=a%26b%3Dc%23%3Bx"),
        (f"{GOOD}?wait=a+b%2B", f"{GOOD}?wait=a%20b%2B"),
        (f"{GOOD}#fragment", GOOD),
        ("/collections/a:b@c,d=e+f~g-h_i.j/points/search", None),
    ],
)
def test_what_passes_is_written_anew(gateway, vectors, offered, home, path, reaches):
    assert send(gateway, home, f"POST /services/{offered.name}{path}") == 200
    (got,) = vectors.received
    assert got.method == "POST"
    if reaches is None:
        reaches = "/collections/a%3Ab%40c%2Cd%3De%2Bf~g-h_i.j/points/search"
    assert got.path == f"/db{reaches}"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 404),
        ("/", 400),
        ("/other", 404),
        ("/collections", 404),
        (GOOD + "/", 400),
        ("/" + GOOD, 400),
        ("/collections//points/search", 400),
        (GOOD.upper(), 404),
        ("/Collections/docs/points/search", 404),
        (GOOD + "/more", 404),
        # other readings of a slash or of a step
        ("/collections/docs%2Fpoints/search", 400),
        ("/collections/docs%2fpoints%2fsearch", 400),
        ("/collections/docs%5Cx/points/search", 400),
        ("/collections/docs\\x/points/search", 400),
        ("/collections/docs;v=1/points/search", 400),
        ("/collections/docs%3Bv/points/search", 400),
        ("/collections/docs%3Fa/points/search", 400),
        ("/collections/docs%23a/points/search", 400),
        ("/collections/docs%00/points/search", 400),
        ("/collections/docs%0D%0Ax:y/points/search", 400),
        ("/collections/docs%20x/points/search", 400),
        ("/collections/d\xf6cs/points/search", 400),
        ("/collections/d%C3%B6cs/points/search", 400),
        ("/collections/%EF%BC%8E%EF%BC%8E/points/search", 400),
        ("/collections/%FF/points/search", 400),
        ("/collections/docs%/points/search", 400),
        ("/collections/docs%zz/points/search", 400),
        # steps of dots, encoded and twice encoded
        ("/collections/../points/search", 400),
        ("/collections/docs/../docs/points/search", 400),
        ("/collections/./points/search", 400),
        ("/collections/%2e%2e/points/search", 400),
        ("/collections/.%2e/points/search", 400),
        ("/collections/%252e%252e/points/search", 400),
        ("/collections/docs%252Fx/points/search", 400),
        ("/collections/.hidden/points/search", 400),
        # what stands in a query
        (f"{GOOD}?other=1", 400),
        (f"{GOOD}?wait=1&wait=2", 400),
        (f"{GOOD}?wait=1&w%61it=2", 400),
        (f"{GOOD}?wait=1&timeout=%0d%0a", 400),
        (f"{GOOD}?wait=%zz", 400),
        (f"{GOOD}?wait", 200),
        (f"{GOOD}?wait=1&", 400),
        (f"{GOOD}?wait=1;other=2&other=3", 400),
        (f"{GOOD}?token=x", 401),
        (f"{GOOD}?wait={'x' * 1001}", 400),
        (f"{GOOD}?" + "&".join(f"a{n}=1" for n in range(40)), 400),
    ],
)
def test_what_could_be_read_otherwise_is_refused(gateway, vectors, offered, home, path, status):
    found = send(gateway, home, f"POST /services/{offered.name}{path}")
    assert (found, len(vectors.received)) == (status, int(status == 200))


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (("GET", GOOD), 405),
        (("PUT", GOOD), 405),
        (("DELETE", GOOD), 405),
        (("PATCH", GOOD), 405),
        (("HEAD", GOOD), 405),
        (("TRACE", GOOD), 405),
        (("PROPFIND", GOOD), 405),
        (("HEAD", "/collections/docs"), 405),
        (("POST", "/collections/docs"), 405),
        (("DELETE", "/collections/aliases"), 204),  # a name like any other to who drops
        (("GET", "/metrics"), 404),
    ],
)
def test_methods_are_those_that_are_declared(gateway, vectors, offered, home, asked, status):
    override = b"x-http-method-override: POST\r\nx-method-override: POST\r\n"
    line = f"{asked[0]} /services/{offered.name}{asked[1]}"
    assert send(gateway, home, line, body=b"", headers=override) == status
    assert len(vectors.received) == int(status == 204)


@pytest.mark.parametrize(
    "prefix",
    [
        "/services%2F{name}",
        "/%73ervices/{name}",
        "/services/%76{rest}",
        "/services//{name}",
        "/services/./{name}",
        "/services/x/../{name}",
        "/Services/{name}",
        "/v1/../services/{name}",
        "/v1/services/{name}",
        "//services/{name}",
    ],
)
def test_a_service_has_one_address(gateway, vectors, offered, home, prefix):
    at = prefix.format(name=offered.name, rest=offered.name[1:])
    assert send(gateway, home, f"POST {at}{GOOD}") in (400, 403, 404)
    assert vectors.received == []


def test_an_absolute_target_names_no_other_host(gateway, vectors, offered, home):
    at = f"/services/{offered.name}{GOOD}"
    for origin in ("http://other.example", "http://127.0.0.1:1", "https://user@other.example"):
        assert send(gateway, home, f"POST {origin}{at}") in (200, 400)
    assert {one.path for one in vectors.received} <= {f"/db{GOOD}"}
    assert {one.headers["host"] for one in vectors.received} <= {
        vectors.base_url.removeprefix("http://").removesuffix("/db")
    }
    vectors.reset()
    assert send(gateway, home, f"POST http://other.example/services/{offered.name}/../x") == 400
    assert vectors.received == []
