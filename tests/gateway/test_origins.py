"""Where a provider may be."""

import pytest

from gateway.origins import OriginError, base_url, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",  # NAT64 of 10.0.0.1
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "2002:808:808::",  # 6to4 of 8.8.8.8
        "2001:0:808:808::f7f7:f7f7",  # Teredo of public addresses
        "2001:db8::1",
    ],
)
def test_these_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_these_addresses_are_public(address):
    assert is_public(address)


def test_a_name_is_no_address():
    with pytest.raises(ValueError, match="does not appear to be"):
        is_public("api.openai.com")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://[2606:4700::1111]/v1", "https://[2606:4700::1111]/v1"),
    ],
)
def test_a_base_url_is_kept_without_its_last_slash(text, expected):
    assert base_url(text, allow_private=False) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with https"),
        ("ftp://example.com", "begins with https"),
        ("https://", "begins with https"),
        ("https://user:secret@example.com", "no user or password"),
        ("https://example.com/v1?key=1", "no query"),
        ("https://example.com/#top", "no query and no fragment"),
        ("https://example.com:99999", "is not a port"),
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_what_is_no_base_url_is_refused_in_any_case(text, why, allow_private):
    with pytest.raises(OriginError, match=why):
        base_url(text, allow_private=allow_private)


@pytest.mark.parametrize(
    "text",
    [
        "http://api.openai.com/v1",
        "https://localhost/v1",
        "https://models.internal/v1",
        "https://127.0.0.1/v1",
        "https://[::1]/v1",
        "https://169.254.169.254/latest",
    ],
)
def test_what_is_private_takes_permission(text):
    with pytest.raises(OriginError, match="allow_private"):
        base_url(text, allow_private=False)
    assert base_url(text, allow_private=True) == text
