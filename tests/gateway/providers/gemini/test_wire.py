"""Gemini's addresses and headers, and what its refusals mean."""

import orjson
import pytest

from gateway.exchange import Endpoint, Outgoing
from gateway.providers.dialect import Errand, Meaning
from gateway.providers.gemini.wire import GeminiWire

BASE = "https://generativelanguage.googleapis.com/v1beta"


def sent(model="gemini-3-pro", secret="key-canary", stream=False, base=BASE):
    errand = Errand(base, model, secret, stream, "op-1", 0.0)
    return GeminiWire().request(Outgoing(Endpoint.CHAT, {"contents": []}), errand)


def test_the_model_is_in_the_path_and_the_key_in_a_header_alone():
    found = sent()
    assert found.url == f"{BASE}/models/gemini-3-pro:generateContent"
    assert found.headers == {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "gatehouse",
        "x-request-id": "op-1",
        "x-goog-api-key": "key-canary",
    }
    assert orjson.loads(found.body) == {"contents": []}
    assert "canary" not in repr(found)
    assert "x-goog-api-key" not in sent(secret=None).headers


def test_a_stream_is_one_of_events():
    found = sent(stream=True, base=BASE + "/")
    assert found.url == f"{BASE}/models/gemini-3-pro:streamGenerateContent?alt=sse"
    assert found.headers["accept"] == "text/event-stream"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("tunedModels/mine", "tunedModels/mine"),
        ("models/gemini-3-pro", "models/gemini-3-pro"),
        ("a?b#c:d", "models/a%3Fb%23c%3Ad"),
    ],
)
def test_a_model_is_a_path_of_its_own_or_one_of_googles(model, path):
    assert sent(model).url == f"{BASE}/{path}:generateContent"


def test_the_models_are_listed_for_a_test_of_the_connection():
    found = GeminiWire().listing(Errand(BASE, "", "k", stream=False, request_id="", now_s=0.0))
    assert found.url == f"{BASE}/models?pageSize=1"
    assert (found.headers["x-goog-api-key"], found.body) == ("k", b"")


def refusal(reason="API_KEY_INVALID", **more):
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    error = {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}
    return orjson.dumps({"error": {**error, "details": [detail, "x", {"reason": 5}], **more}})


@pytest.mark.parametrize(
    ("status", "raw", "meant"),
    [
        (400, refusal(), 401),
        (400, refusal("FIELD_INVALID"), 400),
        (400, refusal(details="x"), 400),
        (400, b"no JSON", 400),
        (429, refusal(), 429),
    ],
)
def test_a_key_that_is_none_is_a_credential_refused(status, raw, meant):
    assert GeminiWire().meaning(status, raw) == Meaning(meant)
    assert GeminiWire().error_message(refusal()) == "API key not valid."
