"""Azure's addresses and credentials, and what its refusals mean."""

import orjson
import pytest

from gateway.exchange import Endpoint
from gateway.origins import OriginError, base_url
from gateway.providers.azure.wire import AzureWire
from gateway.providers.dialect import Errand, Meaning, Target
from gateway.providers.dialects import CHATS, NATIVE, between, check_credential, check_origin
from gateway.providers.fault import BadSetting
from gateway.providers.openai.client import parse
from tests.gateway.providers.conversations import asked

V1 = "https://name.openai.azure.com/openai/v1"
CLASSIC = "https://name.openai.azure.com?api-version=2024-10-21"
ENTRA = '{"tenant_id": "t", "client_id": "c", "client_secret": "canary-secret"}'
BODY = {"model": "public", "messages": [{"role": "user", "content": "hé"}]}


def sent(base=V1, secret="key-canary", endpoint=Endpoint.CHAT, body=BODY, **more):
    call = parse(endpoint, body, 100)
    target = Target("my/deployment", base, 9, stream=False)
    outgoing = NATIVE[endpoint, "azure-openai"].outgoing(call, body, target)
    errand = Errand(base, "my/deployment", secret, stream=False, request_id="op-1", now_s=0.0)
    return AzureWire().request(outgoing, errand._replace(**more))


def test_the_first_form_is_used_as_openais_own():
    found = sent()
    assert found.url == f"{V1}/chat/completions"
    assert orjson.loads(found.body) == {
        **BODY,
        "model": "my/deployment",
        "max_completion_tokens": 9,
    }
    assert found.headers["api-key"] == "key-canary"
    assert "authorization" not in found.headers
    assert "key-canary" not in repr(found)


@pytest.mark.parametrize(
    ("base", "path"),
    [
        (CLASSIC, "/openai"),
        ("https://name.openai.azure.com/openai?api-version=2024-10-21", "/openai"),
        ("https://gate.example/team?api-version=2024-10-21", "/team/openai"),
    ],
)
def test_the_second_form_has_the_deployment_in_the_path_and_its_version_in_the_query(base, path):
    host = base.partition("/")[2][1:].partition("?")[0].partition("/")[0]
    found = sent(base)
    assert found.url == (
        f"https://{host}{path}/deployments/my%2Fdeployment/chat/completions?api-version=2024-10-21"
    )
    embeddings = sent(base, endpoint=Endpoint.EMBEDDINGS, body={"model": "m", "input": "x"})
    assert embeddings.url.endswith("/my%2Fdeployment/embeddings?api-version=2024-10-21")


def test_a_version_may_stand_beside_the_first_form():
    assert sent(f"{V1}?api-version=preview").url == f"{V1}/chat/completions?api-version=preview"


def test_a_token_is_a_bearer_and_no_key():
    headers = sent(secret="Bearer abc").headers
    assert headers["authorization"] == "Bearer abc"
    assert "api-key" not in headers
    assert not {"api-key", "authorization"} & set(sent(secret=None).headers)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (V1, f"{V1}/models"),
        (CLASSIC, "https://name.openai.azure.com/openai/models?api-version=2024-10-21"),
    ],
)
def test_the_models_are_listed_for_a_test_of_the_connection(base, url):
    found = AzureWire().listing(Errand(base, "", "k", stream=False, request_id="", now_s=0.0))
    assert (found.url, found.body, found.headers["api-key"]) == (url, b"", "k")


def test_what_openai_has_azure_has_but_moderations():
    openais = {endpoint for endpoint, dialect in NATIVE if dialect == "openai"}
    azures = {endpoint for endpoint, dialect in NATIVE if dialect == "azure-openai"}
    assert azures == openais - {Endpoint.MODERATIONS}
    assert between(Endpoint.MESSAGES, "azure-openai") is not None


def test_a_conversation_is_written_as_openai_takes_it():
    target = Target("d", "https://gate.example/openai/v1", 9, stream=True)
    written = CHATS["azure-openai"].written(asked(top_k=5), target)
    assert written.body["max_completion_tokens"] == 9
    assert written.left_out == ("top_k",)


# What is refused, and what it costs


def refusal(code, inner=None, message="The prompt was filtered."):
    error = {"message": message, "code": code, "param": "prompt", "status": 400}
    return orjson.dumps({"error": error | ({"innererror": inner} if inner else {})})


FOUND = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {
        "hate": {"filtered": True, "severity": "high"},
        "self_harm": {"filtered": False},
        "jailbreak": {"filtered": True, "detected": True},
        "Not <a> name": {"filtered": True},
    },
}


def test_what_the_filter_found_is_told():
    wire = AzureWire()
    assert wire.error_message(refusal("content_filter", FOUND)) == (
        "The prompt was filtered. (content filter: hate, jailbreak)"
    )
    assert wire.error_message(refusal("other")) == "The prompt was filtered."
    assert wire.error_message(b"<html>") == "<html>"


@pytest.mark.parametrize(
    ("status", "raw", "charged"),
    [
        (400, refusal("content_filter"), True),
        (400, refusal(None, FOUND), True),
        (400, refusal("context_length_exceeded"), True),
        (400, refusal("unknown_parameter"), False),
        (400, b"[]", False),
        (400, b"no JSON", False),
        (408, b"", True),
        (429, refusal("429"), False),
    ],
)
def test_a_prompt_that_was_read_is_charged_for(status, raw, charged):
    assert AzureWire().meaning(status, raw) == Meaning(status, charged)


# What a provider is set to


@pytest.mark.parametrize(
    "text", [V1, CLASSIC, "https://a.openai.azure.com/openai?api-version=2025-01-01-preview"]
)
def test_a_base_url_of_azure(text):
    assert base_url(text, allow_private=False, versioned=True) == text
    check_origin("azure-openai", text)


def test_a_base_url_loses_its_last_slash_before_its_query_too():
    text = "https://a.openai.azure.com/?api-version=2024-10-21"
    assert base_url(text, allow_private=False, versioned=True) == text.replace("/?", "?")


@pytest.mark.parametrize(
    "text", ["https://a.example/v1?x=1", "https://a.example/v1?api-version=1&x=2", f"{V1}#a"]
)
def test_no_other_query_is_taken(text):
    with pytest.raises(OriginError, match="but for its version"):
        base_url(text, allow_private=False, versioned=True)


def test_without_a_version_only_the_first_form_is_taken():
    with pytest.raises(BadSetting, match="ends in /openai/v1, or names its version"):
        check_origin("azure-openai", "https://name.openai.azure.com")
    check_origin("openai", "https://name.example")


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ('{"tenant_id": "t"}', "lacks client_id"),
        ('{"tenant_id": ', "begins as JSON"),
        ('{"tenant_id": "t", "client_id": "c", "client_secret": 5}', "are strings"),
        (ENTRA[:-1] + ', "canary-name": "x"}', "1 unknown fields: it takes tenant_id"),
        (ENTRA[:-1] + ', "authority": "http://127.0.0.1:9"}', "authority.*allow_private"),
    ],
)
def test_a_credential_that_is_none_is_refused_without_repeating_it(secret, why):
    with pytest.raises(BadSetting, match=why) as caught:
        check_credential("azure-openai", secret, V1, allow_private=False)
    assert "canary" not in str(caught.value)


def test_keys_and_client_credentials_are_taken():
    for secret in ("0123abcd", ENTRA):
        check_credential("azure-openai", secret, V1, allow_private=False)
    check_credential("openai", "{", V1, allow_private=False)
