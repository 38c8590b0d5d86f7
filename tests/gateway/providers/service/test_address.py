"""How an address below /services is read, and what is no address in one reading."""

import pytest

from gateway.providers.fault import BadRequest
from gateway.providers.service.address import PARAMETERS_MAX, VALUE_LENGTH_MAX, asked


def test_an_address_is_read_once():
    found = asked(b"/services/a/b%2Bc", b"x=1+2&y", "GET")
    assert found == ("a", "GET", ("b+c",), (("x", "1 2"), ("y", "")))
    assert asked(b"/services/a", b"", "GET").steps == ()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/other/a", b""),
        (b"/services/A/b", b""),
        (b"/services/%61/b", b""),
        (b"/services/a/", b""),
        (b"/services/a/%2e%2e", b""),
        (b"/services/a/%252f", b""),
        (b"/services/a/%2", b""),
        (b"/services/a/\xc3\xb6", b""),
        (b"/services/a/%C3", b""),
        (b"/services/a/b", b"x=1&x=2"),
        (b"/services/a/b", b"x=%0a"),
        (b"/services/a/b", b"x=%zz"),
        (b"/services/a/b", b"x=" + b"y" * (VALUE_LENGTH_MAX + 1)),
        (b"/services/a/b", b"&".join(b"p%d=" % n for n in range(PARAMETERS_MAX + 1))),
    ],
)
def test_what_is_not_plain_is_refused(path, query):
    with pytest.raises(BadRequest):
        asked(path, query, "GET")
