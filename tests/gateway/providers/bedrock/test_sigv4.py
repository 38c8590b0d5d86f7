"""Signatures are those that AWS's own signer makes, byte for byte."""

import string

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.bedrock.sigv4 import Key, Message, Scope, host, signed

NOW_S = 1767225600.0
SCOPE = Scope("eu-central-1", "bedrock")
KEY = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


def theirs(message, key, scope, stamp):
    """Return the authorization that botocore makes at the same instant."""
    request = AWSRequest(
        message.method, message.url, headers={**message.headers}, data=message.body
    )
    request.headers["X-Amz-Date"] = stamp
    if key.token:
        request.headers["X-Amz-Security-Token"] = key.token
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(key.id, key.secret, key.token), scope.service, scope.region)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return request.headers["Authorization"]


def check(message, key=KEY, scope=SCOPE, now_s=NOW_S):
    ours = signed(message, key, scope, now_s)
    assert ours["authorization"] == theirs(message, key, scope, ours["x-amz-date"])
    return ours


URL = "https://bedrock-runtime.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    "url",
    [
        f"{URL}/model/anthropic.claude-v2%3A1/converse",
        f"{URL}/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fx/converse",
        f"{URL}/foundation-models?byProvider=Anthropic&byCustomizationType=a%2Fb",
        "http://127.0.0.1:9001/model/a%20b/converse-stream",
        "https://[::1]:8443/x",
        "https://a.example:443/",
        "https://a.example",
    ],
)
@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEA=="])
def test_the_signature_is_the_one_that_aws_makes(url, token):
    message = Message("POST", url, {"content-type": "application/json"}, b'{"a": "\xc3\xa9"}')
    found = check(message, KEY._replace(token=token))
    assert ("x-amz-security-token" in found) == bool(token)
    check(Message("GET", url, {}, b""))


WORD = st.text(string.ascii_letters + string.digits + "._~-", min_size=1, max_size=8)


@given(
    path=st.lists(
        st.lists(WORD | st.sampled_from(["%3A", "%2F", "%C3%A9", "@"]), max_size=4), max_size=4
    ),
    query=st.lists(st.tuples(WORD, WORD), max_size=3, unique_by=lambda pair: pair[0]),
    body=st.binary(max_size=64),
    value=st.text(string.printable, max_size=20),
    now_s=st.integers(0, 2**32),
)
def test_whatever_is_signed_the_signature_is_the_same(path, query, body, value, now_s):
    segments = ["".join(parts) for parts in path if parts and set("".join(parts)) - {"."}]
    url = f"{URL}/" + "/".join(segments)
    url += "?" + "&".join("=".join(pair) for pair in query) if query else ""
    check(Message("POST", url, {"content-type": value.strip() or "x"}, body), now_s=float(now_s))


def test_another_key_region_day_or_body_is_another_signature():
    message = Message("POST", f"{URL}/x", {}, b"1")
    found = {
        signed(message, KEY, SCOPE, NOW_S)["authorization"],
        signed(message, KEY._replace(secret="other"), SCOPE, NOW_S)["authorization"],
        signed(message, KEY, Scope("us-east-1", "bedrock"), NOW_S)["authorization"],
        signed(message, KEY, SCOPE, NOW_S + 86400)["authorization"],
        signed(message._replace(body=b"2"), KEY, SCOPE, NOW_S)["authorization"],
    }
    assert len(found) == 5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://A.example/x", "a.example"),
        ("https://a.example:443/x", "a.example"),
        ("http://a.example:443/x", "a.example:443"),
        ("http://127.0.0.1:9001", "127.0.0.1:9001"),
        ("http://[::1]:80/", "[::1]"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(url, expected):
    assert host(url) == expected


def test_the_clock_is_an_argument():
    found = signed(Message("GET", URL, {}, b""), KEY, SCOPE, 0.0)
    assert found["x-amz-date"] == "19700101T000000Z"
