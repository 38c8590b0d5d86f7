"""Bedrock's addresses, its two kinds of credential, and what its refusals mean."""

import json

import orjson
import pytest

from gateway.exchange import Endpoint, Outgoing
from gateway.providers.bedrock.access import read
from gateway.providers.bedrock.sigv4 import Key, Message, Scope, signed
from gateway.providers.bedrock.wire import BedrockWire
from gateway.providers.dialect import Errand, Meaning
from gateway.providers.dialects import check_credential
from gateway.providers.fault import BadSetting

BASE = "https://bedrock-runtime.eu-central-1.amazonaws.com"
ACCESS = {"access_key_id": "AKID", "secret_access_key": "canary-secret"}
SECRET = json.dumps(ACCESS)
MODEL = "eu.anthropic.claude-sonnet-4-6-v1:0"
NOW_S = 1767225600.0


def sent(secret=SECRET, model=MODEL, stream=False, base=BASE):
    errand = Errand(base, model, secret, stream, "op-1", NOW_S)
    return BedrockWire().request(Outgoing(Endpoint.CHAT, {"messages": []}), errand)


def test_the_model_is_in_the_path_and_the_request_is_signed():
    found = sent()
    assert found.url == f"{BASE}/model/eu.anthropic.claude-sonnet-4-6-v1%3A0/converse"
    message = Message("POST", found.url, {"content-type": "application/json"}, found.body)
    headers = signed(message, Key("AKID", "canary-secret"), Scope("eu-central-1", "bedrock"), NOW_S)
    assert found.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "gatehouse",
        "x-request-id": "op-1",
        **headers,
    }
    assert "canary" not in f"{found.headers}{found}"
    assert orjson.loads(found.body) == {"messages": []}


def test_a_stream_is_one_of_frames():
    found = sent(stream=True, base=BASE + "/")
    assert found.url.endswith("/converse-stream")
    assert found.headers["accept"] == "application/vnd.amazon.eventstream"


def test_a_profile_is_named_whole():
    arn = "arn:aws:bedrock:eu-central-1:1:inference-profile/x"
    assert "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Fx/" in (
        sent(model=arn).url
    )


def test_an_api_key_is_a_bearer_and_without_a_credential_none_is_sent():
    assert sent("bedrock-api-key-x").headers["authorization"] == "Bearer bedrock-api-key-x"
    assert "authorization" not in sent(None).headers


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (BASE, "https://bedrock.eu-central-1.amazonaws.com/foundation-models"),
        (BASE + "/", "https://bedrock.eu-central-1.amazonaws.com/foundation-models"),
        (
            "https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
            "https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com/foundation-models",
        ),
        (
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
            "https://bedrock-fips.us-east-1.amazonaws.com/foundation-models",
        ),
    ],
)
def test_the_models_are_listed_at_the_regions_other_address(base, url):
    found = BedrockWire().listing(Errand(base, "", SECRET, False, "", NOW_S))  # noqa: FBT003
    assert (found.url, found.body) == (url, b"")
    assert found.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/20260101/")


# Credentials


@pytest.mark.parametrize(
    ("base", "more", "region"),
    [
        (BASE, {}, "eu-central-1"),
        (BASE, {"region": "eu-central-1"}, "eu-central-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com", {}, "us-gov-west-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", {}, "cn-north-1"),
        ("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", {}, "us-east-1"),
        ("http://127.0.0.1:9001", {"region": "us-east-1"}, "us-east-1"),
    ],
)
def test_the_region_is_the_addresss_or_the_credentials(base, more, region):
    found = read(json.dumps({**ACCESS, "session_token": "t", **more}), base)
    assert found == (Key("AKID", "canary-secret", "t"), region)
    check_credential("bedrock", json.dumps({**ACCESS, **more}), base, allow_private=True)


@pytest.mark.parametrize(
    ("base", "told", "why"),
    [
        ("https://proxy.example", ACCESS, "names no region"),
        ("https://proxy.example", {**ACCESS, "region": "nowhere"}, "names no region"),
        (BASE, {**ACCESS, "region": "us-east-1"}, "another region than eu-central-1"),
        (BASE, {"access_key_id": "AKID"}, "lacks secret_access_key"),
    ],
)
def test_a_credential_that_cannot_sign_is_refused(base, told, why):
    with pytest.raises(BadSetting, match=why) as caught:
        check_credential("bedrock", json.dumps(told), base, allow_private=False)
    assert "canary" not in str(caught.value)


def test_an_api_key_needs_no_region():
    check_credential("bedrock", "bedrock-api-key-x", "https://proxy.example", allow_private=False)


# What is refused


@pytest.mark.parametrize(
    ("status", "meant"), [(400, 400), (403, 403), (408, 504), (424, 502), (429, 429), (503, 503)]
)
def test_a_model_that_failed_is_not_the_callers_fault(status, meant):
    assert BedrockWire().meaning(status, b"") == Meaning(meant)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"message": "Malformed input"}', "Malformed input"),
        (b'{"Message": "User is not authorized"}', "User is not authorized"),
        (b"<html>", "<html>"),
        (b'["x"]', '["x"]'),
    ],
)
def test_what_went_wrong_is_told(raw, message):
    assert BedrockWire().error_message(raw) == message
