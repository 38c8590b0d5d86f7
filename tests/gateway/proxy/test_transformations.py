"""What is declared for apps and models is done to a call before it is judged: what the provider
receives, what the client gets and what the record holds show it."""

import json
import re

import pytest

from gateway.exchange import Endpoint
from gateway.services.routes import route_update
from tenants.services.apps import app_create, app_update
from tenants.services.keys import virtual_key_issue
from tenants.services.tenants import tenant_update
from tests import books, estate
from tests.gateway.proxy.test_obligations import PATHS, home_of, plain, received, saying
from tests.mock_provider import start_mock_provider
from tests.planting import MAIL, house
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway, eventually

OPEN = plain("tag: {a: b}")
REDACTING = plain("redact: {kinds: [EMAIL_ADDRESS]}")
SIMPLE = {
    "format": {
        "type": "object",
        "required": ["message"],
        "additionalProperties": False,
        "properties": {
            "message": {"type": "string", "minLength": 1},
            "userId": {"type": "string", "pattern": "^u-[0-9]+$"},
            "model": {"type": "string"},
            "stream": {"type": "boolean"},
        },
    },
    "to": {"messages": "[{role: 'user', content: message}]", "user": "userId"},
}
EACH = (Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.RESPONSES, Endpoint.EMBEDDINGS)


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def of_app(home, *steps):
    """Declare what becomes of the requests of the home's app."""
    app_update(actor=estate.ACTOR, app=home.app, transformation=list(steps))
    assert home.publish()
    return home


def of_model(home, *steps):
    """Declare what becomes of the requests for the home's model."""
    from gateway.models import Route  # noqa: PLC0415  (needs the settings)

    route = Route.objects.get(name=home.model)
    route_update(actor=estate.ACTOR, route=route, transformation=list(steps))
    assert home.publish()
    return home


def send(gateway, home, endpoint, body, headers=None, secret=None):
    """Send a body as it is."""
    with gateway.client(secret or home.secret) as client:
        return client.post(PATHS[endpoint], json=body, headers=headers)


def asking(home, endpoint, text="Hello", **fields):
    """Return a body that says a text at an endpoint."""
    capped = {"max_tokens": 64} if endpoint is Endpoint.MESSAGES else {}
    return {"model": home.model, **saying(endpoint, text), **capped, **fields}


@pytest.mark.parametrize("endpoint", EACH)
def test_every_operation_reaches_the_provider_and_the_record(gateway, mock, endpoint):
    field = "metadata" if endpoint is not Endpoint.EMBEDDINGS else "user"
    step = {
        "endpoints": [endpoint.value],
        "rename": {"/old": f"/{field}"},
        "remove": ["/unwanted"],
        "defaults": {"/encoding_format": "float"} if field == "user" else {"/top_p": 0.5},
        "schema": {"type": "object", "required": ["model", field]},
    }
    value = {"user_id": "u"} if field == "metadata" else "u"
    home = of_app(home_of(mock, endpoint, OPEN), step)
    answer = send(gateway, home, endpoint, asking(home, endpoint, old=value, unwanted="x"))
    assert answer.status_code == 200
    body = received(mock)
    assert body[field] == value
    assert "unwanted" not in body
    assert "old" not in body
    assert body.get("top_p") == 0.5 or body["encoding_format"] == "float"
    (named,) = books.record(home, "admitted").body["transformations"]
    assert named.startswith("app@")
    assert len(named) == len("app@") + 16


def test_clamps_and_forced_values_bound_what_a_client_says(gateway, mock):
    step = {
        "endpoints": ["chat.completions"],
        "force": {"/store": False},
        "clamp": {"/temperature": {"max": 0.5}, "/max_tokens": {"min": 5, "max": 32}},
    }
    home = of_model(home_of(mock, Endpoint.CHAT, OPEN), step)
    body = asking(home, Endpoint.CHAT, temperature=1.5, max_tokens=100, store=True)
    assert send(gateway, home, Endpoint.CHAT, body).status_code == 200
    sent = received(mock)
    assert (sent["temperature"], sent["store"]) == (0.5, False)
    record = books.record(home, "admitted")
    assert record.body["cap"] == 32
    assert record.body["facts"]["call.max_output_tokens"] == 32
    assert record.body["transformations"][0].startswith(f"model:{home.model}@")


def test_a_transformation_keeps_to_its_endpoints(gateway, mock):
    step = {"endpoints": ["messages"], "force": {"/temperature": 0.1}}
    home = of_app(home_of(mock, Endpoint.CHAT, OPEN), step)
    assert send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT)).status_code == 200
    assert "temperature" not in received(mock)
    assert "transformations" not in books.record(home, "admitted").body


def test_the_apps_default_comes_first_and_the_models_force_last(gateway, mock):
    home = home_of(mock, Endpoint.CHAT, OPEN)
    step = {"endpoints": ["chat.completions"]}
    of_app(home, {**step, "defaults": {"/top_p": 0.5}, "force": {"/temperature": 0.9}})
    of_model(home, {**step, "defaults": {"/top_p": 0.7}, "force": {"/temperature": 0.1}})
    assert send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT)).status_code == 200
    assert (received(mock)["top_p"], received(mock)["temperature"]) == (0.5, 0.1)
    named = books.record(home, "admitted").body["transformations"]
    assert [each.partition("@")[0] for each in named] == ["app", f"model:{home.model}"]


def test_a_simplified_format_becomes_a_chat_and_is_judged_as_one(gateway, mock):
    home = of_app(
        home_of(mock, Endpoint.CHAT, REDACTING),
        {
            "endpoints": ["chat.completions"],
            "mapping": SIMPLE,
            "system_prompt": f"Escalate to {MAIL}.",
        },
    )
    body = {"model": home.model, "message": f"I am {MAIL}", "userId": "u-7"}
    answer = send(gateway, home, Endpoint.CHAT, body)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"]
    sent = received(mock)
    assert sent["messages"] == [
        {"role": "system", "content": "Escalate to <EMAIL_ADDRESS>."},
        {"role": "user", "content": "I am <EMAIL_ADDRESS>"},
    ]
    assert sent["user"] == "u-7"
    record = books.record(home, "admitted").body
    assert record["redacted"] is True
    assert record["facts"]["pii.count"] == 2
    assert record["facts"]["user.id"] == "u-7"
    assert len(record["digests"]) >= 2


def test_what_a_transformation_adds_is_counted(gateway, mock):
    home = home_of(mock, Endpoint.CHAT, OPEN)
    assert send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT)).status_code == 200
    of_model(home, {"endpoints": ["chat.completions"], "system_prompt": "x" * 8000})

    def is_added():
        send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT)).raise_for_status()
        return received(mock)["messages"][0]["role"] == "system"

    eventually(is_added)
    plainly, *_, longer = (each.body for each in books.records(home, "admitted"))
    assert longer["facts"]["call.bytes"] > plainly["facts"]["call.bytes"] + 8000
    assert longer["bound_micros"] > plainly["bound_micros"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_simplified_format_keeps_whether_it_streams(gateway, mock, streamed):
    step = {"endpoints": ["chat.completions"], "mapping": SIMPLE}
    home = of_app(home_of(mock, Endpoint.CHAT, OPEN), step)
    body = {"model": home.model, "message": "Hello", "stream": streamed}
    answer = send(gateway, home, Endpoint.CHAT, body)
    assert answer.status_code == 200
    assert ("data: [DONE]" in answer.text) is streamed


@pytest.mark.parametrize("endpoint", EACH)
def test_a_wrong_body_is_told_every_fault_and_its_path_in_its_dialect(gateway, mock, endpoint):
    schema = {
        "type": "object",
        "required": ["tenant_code"],
        "properties": {"temperature": {"type": "number"}, "user": {"pattern": "^u-"}},
    }
    home = of_model(
        home_of(mock, endpoint, OPEN), {"endpoints": [endpoint.value], "schema": schema}
    )
    before = len(mock.books())
    answer = send(gateway, home, endpoint, asking(home, endpoint, temperature="hot", user="me"))
    body = answer.json()
    assert answer.status_code == 400
    error = body["error"]
    assert error["faults"] == [
        {"path": "", "message": '"tenant_code" is a required property'},
        {"path": "/temperature", "message": 'the value is not of type "number"'},
        {"path": "/user", "message": 'the value does not match "^u-"'},
    ]
    for fault in error["faults"]:
        assert fault["message"] in error["message"]
        assert fault["path"] in error["message"]
    assert (error["code"], error["type"]) == ("invalid_request", "invalid_request_error")
    assert (body.get("type") == "error") is (endpoint is Endpoint.MESSAGES)
    assert len(mock.books()) == before


def test_a_wrong_simplified_body_is_told_every_fault(gateway, mock):
    step = {"endpoints": ["chat.completions"], "mapping": SIMPLE}
    home = of_app(home_of(mock, Endpoint.CHAT, OPEN), step)
    answer = send(gateway, home, Endpoint.CHAT, {"message": "", "userId": "x", "more": 1})
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["param"] is None
    assert [fault["path"] for fault in error["faults"]] == ["", "/message", "/userId"]
    assert f"the app {home.app.name} takes" in error["message"]


def test_both_names_of_a_renamed_field_are_refused(gateway, mock):
    step = {"endpoints": ["chat.completions"], "rename": {"/limit": "/max_tokens"}}
    home = of_app(home_of(mock, Endpoint.CHAT, OPEN), step)
    body = asking(home, Endpoint.CHAT, limit=5, max_tokens=6)
    answer = send(gateway, home, Endpoint.CHAT, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "limit")


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES])
def test_the_end_user_is_the_keys_whatever_the_client_says(gateway, mock, endpoint):
    injected = {"/metadata/department": "tag.department"}
    home = home_of(mock, endpoint, OPEN)
    tenant_update(actor=estate.ACTOR, tenant=home.tenant, tags=["department"])
    of_app(home, {"endpoints": [endpoint.value], "user": True, "inject": injected})
    bound, issued = virtual_key_issue(
        actor=estate.ACTOR, app=home.app, name="bound", pepper=estate.pepper(), user="u-bound"
    )
    assert bound.user == "u-bound"
    said = {"metadata": {"user_id": "me"}} if endpoint is Endpoint.MESSAGES else {"user": "me"}
    headers = {"x-gatehouse-tags": "department=legal", "x-gatehouse-user": "u-header"}
    for secret, user in ((issued.secret, "u-bound"), (home.secret, "u-header")):
        body = asking(home, endpoint, **said)
        answer = send(gateway, home, endpoint, body, headers, secret=secret)
        assert answer.status_code == 200, answer.text
        sent = received(mock)
        assert sent["metadata"]["department"] == "legal"
        found = sent["metadata"]["user_id"] if endpoint is Endpoint.MESSAGES else sent["user"]
        assert found == user


def test_declared_headers_reach_provider_and_client_and_ours_stay(gateway, mock):
    headers = {
        "provider": {"x-team": "risk", "http-referer": "https://acme.example"},
        "answer": {"x-notice": "beta", "deprecation": "@1790000000"},
    }
    home = home_of(mock, Endpoint.CHAT, OPEN)
    of_app(home, {"endpoints": ["chat.completions"], "headers": headers})
    of_model(
        home,
        {"endpoints": ["chat.completions"], "headers": {"provider": {"x-team": "platform"}}},
    )
    answer = send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT))
    assert (answer.headers["x-notice"], answer.headers["deprecation"]) == ("beta", "@1790000000")
    assert "x-team" not in answer.headers
    sent = mock.books()[-1]["headers"]
    assert (sent["x-team"], sent["http-referer"]) == ("platform", "https://acme.example")
    assert sent["authorization"] == "Bearer sk-upstream-canary"
    assert "x-notice" not in sent


CUTTING = {
    "endpoints": ["chat.completions"],
    "answer": {
        "remove": ["/choices/*/logprobs", "/system_fingerprint"],
        "remove_from_events": ["/choices/*/logprobs", "/system_fingerprint"],
    },
}


@pytest.mark.parametrize("rule", [OPEN, plain("phase: answer, redact: {kinds: all}")])
@pytest.mark.parametrize("streamed", [False, True])
def test_fields_are_taken_out_of_answers_after_they_were_inspected(gateway, streamed, rule):
    told = {"content": f"Ask {MAIL}"}
    made = stream((0, told)) if streamed else completion(told)
    marked = made.replace(b'"choices":[{', b'"system_fingerprint":"fp","choices":[{"logprobs":{},')
    assert marked != made
    with Scripted(marked) as provider:
        home = of_app(house(rule, (provider.base_url, "any")), CUTTING)
        body = asking(home, Endpoint.CHAT, stream=streamed)
        answer = send(gateway, home, Endpoint.CHAT, body)
    assert answer.status_code == 200
    assert "logprobs" not in answer.text
    assert "system_fingerprint" not in answer.text
    assert ("data: [DONE]" in answer.text) is streamed
    said = "".join(re.findall(r'"content":"(.*?)"', answer.text)).replace("\\u003c", "<")
    assert ("Ask <EMAIL_ADDRESS>" in said) is (rule is not OPEN)
    completed = eventually(lambda: books.record(home, "completed"))
    assert completed.body["charge"] == "usage"


@pytest.mark.parametrize("streamed", [False, True])
def test_fields_are_taken_out_of_the_answers_of_messages_too(gateway, mock, streamed):
    step = {
        "endpoints": ["messages"],
        "answer": {"remove": ["/usage"], "remove_from_events": ["/usage", "/message/usage"]},
    }
    home = of_model(home_of(mock, Endpoint.MESSAGES, OPEN), step)
    body = asking(home, Endpoint.MESSAGES, stream=streamed)
    answer = send(gateway, home, Endpoint.MESSAGES, body)
    assert answer.status_code == 200
    assert "usage" not in answer.text
    assert ("event: message_stop" in answer.text) is streamed
    assert eventually(lambda: books.record(home, "completed")).body["usage"]


@pytest.mark.parametrize("streamed", [False, True])
def test_fields_are_taken_out_of_responses_too(gateway, mock, streamed):
    step = {
        "endpoints": ["responses"],
        "answer": {"remove": ["/usage"], "remove_from_events": ["/response/usage"]},
    }
    home = of_app(home_of(mock, Endpoint.RESPONSES, OPEN), step)
    body = asking(home, Endpoint.RESPONSES, stream=streamed)
    answer = send(gateway, home, Endpoint.RESPONSES, body)
    assert answer.status_code == 200
    assert '"usage"' not in answer.text
    assert ("event: response.completed" in answer.text) is streamed
    assert eventually(lambda: books.record(home, "completed")).body["charge"] == "usage"


def test_the_answers_of_embeddings_are_cut_and_their_requests_clamped(gateway, mock):
    step = {
        "endpoints": ["embeddings"],
        "clamp": {"/dimensions": {"max": 8}},
        "answer": {"remove": ["/data/*/object"]},
    }
    home = of_app(home_of(mock, Endpoint.EMBEDDINGS, OPEN), step)
    body = asking(home, Endpoint.EMBEDDINGS, dimensions=64)
    answer = send(gateway, home, Endpoint.EMBEDDINGS, body)
    assert received(mock)["dimensions"] == 8
    (vector,) = answer.json()["data"]
    assert vector["embedding"]
    assert "object" not in vector


def test_a_forced_value_decides_whether_an_answer_streams(gateway, mock):
    step = {"endpoints": ["chat.completions"], "force": {"/stream": False}}
    home = of_app(home_of(mock, Endpoint.CHAT, OPEN), step)
    body = asking(home, Endpoint.CHAT, stream=True)
    answer = send(gateway, home, Endpoint.CHAT, body)
    assert answer.json()["object"] == "chat.completion"
    assert received(mock).get("stream") in (None, False)


def test_a_model_that_stands_in_gets_its_own_headers_and_the_judged_body(gateway, mock):
    headers = {"endpoints": ["chat.completions"], "headers": {"provider": {"x-team": "first"}}}
    away = estate.provider("http://127.0.0.1:9")
    second = estate.route((estate.provider(mock.base_url), "second"), price=books.PRICE)
    route_update(
        actor=estate.ACTOR,
        route=second,
        transformation=[
            {
                "endpoints": ["chat.completions"],
                "force": {"/top_p": 0.1},
                "headers": {"provider": {"x-line": "second"}},
            }
        ],
    )
    first = estate.route(
        (away, "first"),
        price=books.PRICE,
        fallbacks=[second.name],
        transformation=[{**headers, "force": {"/temperature": 0.3}}],
    )
    home = estate.estate(first, second, policy=OPEN)
    answer = send(gateway, home, Endpoint.CHAT, asking(home, Endpoint.CHAT))
    assert answer.headers["x-gatehouse-model"] == second.name
    sent = mock.books()[-1]
    assert (sent["headers"].get("x-team"), sent["headers"]["x-line"]) == (None, "second")
    assert (sent["body"]["temperature"], sent["body"].get("top_p")) == (0.3, None)


def test_the_default_model_follows_the_tier_of_the_app(gateway, mock):
    provider = estate.provider(mock.base_url)
    small, large, other = (
        estate.route((provider, name), price=books.PRICE) for name in ("small", "large", "other")
    )
    home = estate.estate(small, large, other, policy=OPEN)
    gold = app_create(
        actor=estate.ACTOR,
        tenant=home.tenant,
        name=estate.name("gold"),
        models=[small.name, large.name],
        tier="gold",
    )
    _, issued = virtual_key_issue(actor=estate.ACTOR, app=gold, name="gold", pepper=estate.pepper())
    tenant_update(
        actor=estate.ACTOR,
        tenant=home.tenant,
        default_model=small.name,
        tier_models={"gold": large.name},
    )
    assert home.publish()
    body = saying(Endpoint.CHAT, "Hello")
    for secret, model in ((home.secret, small.name), (issued.secret, large.name)):
        answer = send(gateway, home, Endpoint.CHAT, body, secret=secret)
        assert answer.headers["x-gatehouse-model"] == model
        named = send(gateway, home, Endpoint.CHAT, {**body, "model": small.name}, secret=secret)
        assert named.headers["x-gatehouse-model"] == small.name
    told = [each.body.get("transformations") for each in books.records(home, "admitted")]
    assert told == [
        [f"default_model:{small.name}"],
        None,
        [f"default_model:{large.name}"],
        None,
    ]
    with gateway.client(home.secret) as client:
        listed = {each["id"] for each in client.get("/v1/models").json()["data"]}
    assert listed == {small.name, large.name, other.name}


def test_a_call_without_a_model_and_a_default_is_refused_as_ever(gateway, mock):
    home = home_of(mock, Endpoint.CHAT, OPEN)
    answer = send(gateway, home, Endpoint.CHAT, saying(Endpoint.CHAT, "Hello"))
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")


def test_a_model_that_the_app_may_not_call_tells_nothing_of_its_schema(gateway, mock):
    home = home_of(mock, Endpoint.CHAT, OPEN)
    other = home_of(mock, Endpoint.CHAT, OPEN)
    of_model(other, {"endpoints": ["chat.completions"], "schema": {"required": ["x"]}})
    body = asking(home, Endpoint.CHAT, model=other.model)
    answer = send(gateway, home, Endpoint.CHAT, body)
    assert (answer.status_code, "faults" in answer.json()["error"]) == (404, False)


def test_a_canary_in_what_is_injected_is_seen_by_the_policy(gateway, mock):
    home = of_app(
        home_of(mock, Endpoint.CHAT, REDACTING),
        {"endpoints": ["chat.completions"], "inject": {"/metadata/who": "conversation"}},
    )
    headers = {"x-gatehouse-conversation": MAIL}
    body = asking(home, Endpoint.CHAT)
    assert send(gateway, home, Endpoint.CHAT, body, headers).status_code == 200
    assert received(mock)["metadata"]["who"] == "<EMAIL_ADDRESS>"


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    assert "internal_error" not in gateway.output()
    assert json.dumps(MAIL) not in gateway.output()
