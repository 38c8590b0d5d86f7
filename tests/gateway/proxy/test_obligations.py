"""Every obligation of a policy is kept at every endpoint, or the call is refused: what the provider
receives, what the client gets and what the record holds show it."""

import json

import pytest

from gateway.exchange import Endpoint
from gateway.providers.dialects import PARSERS
from gateway.services.routes import deployment_create
from tests import books, estate
from tests.mock_provider import start_mock_provider
from tests.planting import MAIL, house
from tests.scripted import Scripted, completion, stream
from tests.stack import Gateway, eventually

SECRET = "AKIA" + "Q3EGWYXK5H2T7ZPM"
PATHS = {
    Endpoint.CHAT: "/v1/chat/completions",
    Endpoint.COMPLETIONS: "/v1/completions",
    Endpoint.RESPONSES: "/v1/responses",
    Endpoint.MESSAGES: "/v1/messages",
    Endpoint.COUNT_TOKENS: "/v1/messages/count_tokens",
    Endpoint.EMBEDDINGS: "/v1/embeddings",
    Endpoint.MODERATIONS: "/v1/moderations",
    Endpoint.IMAGES: "/v1/images/generations",
    Endpoint.SPEECH: "/v1/audio/speech",
    Endpoint.TRANSCRIPTIONS: "/v1/audio/transcriptions",
}
PROMPTED = {Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES, Endpoint.COUNT_TOKENS}
SAMPLING = {Endpoint.CHAT, Endpoint.COMPLETIONS, Endpoint.RESPONSES, Endpoint.MESSAGES}
CONVERSING = {Endpoint.CHAT, Endpoint.MESSAGES, Endpoint.COUNT_TOKENS}
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def mock():
    with start_mock_provider() as mock:
        yield mock


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


def plain(*rules):
    """Return a policy whose rules always match, each given as its effects."""
    listed = (f"  - {{id: r{number}, when: true, {rule}}}" for number, rule in enumerate(rules))
    return "\n".join(["policy: {name}", "default: permit", "rules:", *listed])


def saying(endpoint, text):
    """Return the fields of a request that says a text."""
    if endpoint in CONVERSING:
        return {"messages": [{"role": "user", "content": text}]}
    prompts = {Endpoint.COMPLETIONS, Endpoint.IMAGES, Endpoint.TRANSCRIPTIONS}
    return {"prompt" if endpoint in prompts else "input": text}


def ask(gateway, home, endpoint, headers=None, **fields):
    """Make one call at an endpoint."""
    body = {"model": home.model, **saying(endpoint, "Hello"), **fields}
    if endpoint is Endpoint.MESSAGES:
        body.setdefault("max_tokens", 64)
    if endpoint is Endpoint.SPEECH:
        body["voice"] = "alloy"
    with gateway.client(home.secret) as client:
        if endpoint is Endpoint.TRANSCRIPTIONS:
            files = {"file": ("a.mp3", b"sound", "audio/mpeg")}
            return client.post(PATHS[endpoint], data=body, files=files, headers=headers)
        return client.post(PATHS[endpoint], json=body, headers=headers)


def home_of(mock, endpoint, source):
    """Make a house whose provider speaks the dialect of the endpoint."""
    dialect = "anthropic" if endpoint.value.startswith("messages") else "openai"
    made = estate.provider(mock.base_url, dialect=dialect)
    return estate.estate(estate.route((made, "mock"), price=books.PRICE), policy=source)


def received(mock):
    """Return the body that the provider received last."""
    return mock.books()[-1]["body"]


def test_every_endpoint_is_looked_at_here():
    assert set(PATHS) == set(PARSERS)


@pytest.mark.parametrize("endpoint", PATHS)
def test_a_system_prompt_stands_first_or_the_call_is_refused(gateway, mock, endpoint):
    home = home_of(
        mock,
        endpoint,
        plain("add_system_prompt: Be brief.", "add_system_prompt: Be kind.", "tag: {a: b}"),
    )
    before = len(mock.books())
    answer = ask(gateway, home, endpoint)
    if endpoint not in PROMPTED:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, "obligation_unenforceable")
        assert "add_system_prompt" in error["message"]
        assert len(mock.books()) == before
        return
    assert answer.status_code == 200
    body = received(mock)
    if endpoint is Endpoint.CHAT:
        assert body["messages"][0] == {"role": "system", "content": "Be brief.\n\nBe kind."}
        assert body["messages"][1:] == HELLO
    elif endpoint is Endpoint.RESPONSES:
        assert body["instructions"] == "Be brief.\n\nBe kind."
    else:
        assert body["system"] == "Be brief.\n\nBe kind."
    record = books.record(home, "admitted")
    assert {"add_system_prompt": ["Be brief.", "Be kind."]} in record.body["decision"][
        "obligations"
    ]


def test_a_system_prompt_stands_before_the_clients_own(gateway, mock):
    source = plain("add_system_prompt: Be brief.")
    home = home_of(mock, Endpoint.MESSAGES, source)
    blocks = [{"type": "text", "text": "You sell hats."}]
    for system, expected in (
        ("You sell hats.", "Be brief.\n\nYou sell hats."),
        (blocks, [{"type": "text", "text": "Be brief."}, *blocks]),
    ):
        assert ask(gateway, home, Endpoint.MESSAGES, system=system).status_code == 200
        assert received(mock)["system"] == expected
    chat = home_of(mock, Endpoint.CHAT, source)
    own = [{"role": "system", "content": "You sell hats."}, *HELLO]
    assert ask(gateway, chat, Endpoint.CHAT, messages=own).status_code == 200
    assert [each["content"] for each in received(mock)["messages"]] == [
        "Be brief.",
        "You sell hats.",
        "Hello",
    ]


@pytest.mark.parametrize("endpoint", PATHS)
def test_temperature_is_lowered_and_sent_where_it_is_not_told(gateway, mock, endpoint):
    home = home_of(mock, endpoint, plain("cap: {temperature: 0.5, max_output_tokens: 10}"))
    takes = endpoint in SAMPLING
    for given, sent in ((None, 0.5), (0.9, 0.5), (0.25, 0.25)):
        fields = {"temperature": given} if given is not None and takes else {}
        assert ask(gateway, home, endpoint, **fields).status_code == 200
        assert received(mock).get("temperature") == (sent if takes else None)
    if takes:
        name = "max_output_tokens" if endpoint is Endpoint.RESPONSES else "max_tokens"
        assert received(mock)[name] == 10


@pytest.mark.parametrize("endpoint", PATHS)
def test_defaults_are_set_where_the_client_left_them_open(gateway, mock, endpoint):
    source = plain("set_default: {temperature: 0.25, top_p: 0.5, max_output_tokens: 33}")
    home = home_of(mock, endpoint, source)
    assert ask(gateway, home, endpoint).status_code == 200
    body = received(mock)
    cap = "max_output_tokens" if endpoint is Endpoint.RESPONSES else "max_tokens"
    if endpoint is Endpoint.TRANSCRIPTIONS:
        assert body["temperature"] == "0.25"
        return
    if endpoint not in SAMPLING:
        assert not {"temperature", "top_p", cap} & body.keys()
        return
    assert (body["temperature"], body["top_p"]) == (0.25, 0.5)
    # The messages API has no request without a cap.
    assert body[cap] == (64 if endpoint is Endpoint.MESSAGES else 33)
    assert ask(gateway, home, endpoint, temperature=0.75, **{cap: 20}).status_code == 200
    body = received(mock)
    assert (body["temperature"], body["top_p"], body[cap]) == (0.75, 0.5, 20)


@pytest.mark.parametrize(
    ("cap", "fields", "words"),
    [
        ("n: 1", {"n": 2}, "The call has 2 answers at once; at most 1 are allowed."),
        ("messages: 1", {"messages": HELLO * 2}, "2 messages; at most 1"),
        ("bytes: 300", {"messages": [{"role": "user", "content": "x" * 300}]}, "at most 300"),
    ],
)
def test_a_call_over_a_cap_that_cannot_be_lowered_is_denied(gateway, mock, cap, fields, words):
    home = home_of(mock, Endpoint.CHAT, plain("tag: {a: b}", f"cap: {{{cap}}}"))
    assert ask(gateway, home, Endpoint.CHAT).status_code == 200
    answer = ask(gateway, home, Endpoint.CHAT, **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["rule"]) == (403, "policy_denied", "r1")
    assert words in error["message"]
    assert error["remedy"]
    record = books.record(home, "refused")
    assert record.body["decision"]["effect"] == "deny"
    assert record.body["decision"]["obligations"] == [{"tag": {"a": "b"}}]


def test_case_16_regions_that_are_not_allowed_are_out_and_the_next_is_in(gateway, mock):
    at, route = estate.provider(mock.base_url), estate.route()
    for place, region in enumerate(["us", "eu"]):
        deployment_create(
            actor=estate.ACTOR,
            route=route,
            provider=at,
            model="mock",
            region=region,
            priority=place,
        )
    for allowed, serves in (("[eu]", "eu"), ("[us, eu]", "us")):
        home = estate.estate(route, policy=plain(f"allow_regions: {allowed}"))
        assert gateway.chat(home.secret, home.model).status_code == 200
        assert books.record(home, "admitted").body["region"] == serves
    home = estate.estate(route, policy=plain("allow_regions: [ap]"))
    error = gateway.chat(home.secret, home.model).json()["error"]
    assert error["message"] == "A deployment in the region us may not serve this call."
    empty = estate.estate(route, policy=plain("allow_regions: [eu]", "allow_regions: [us]"))
    error = gateway.chat(empty.secret, empty.model).json()["error"]
    assert "together allow no regions" in error["message"]


def test_only_allowed_models_serve_and_a_route_is_judged_by_where_it_leads(gateway, mock):
    at = estate.provider(mock.base_url)
    small, large = estate.route((at, "mock")), estate.route((at, "mock"))
    home = estate.estate(small, large, policy=plain(f"allow_models: [{small.name}]"))
    assert gateway.chat(home.secret, small.name).status_code == 200
    error = gateway.chat(home.secret, large.name).json()["error"]
    assert (error["code"], error["rule"]) == ("policy_denied", "r0")
    assert small.name in error["remedy"]
    source = plain(f"allow_models: [{small.name}]", f"route: {small.name}")
    home = estate.estate(small, large, policy=source)
    assert gateway.chat(home.secret, large.name).status_code == 200
    assert books.record(home, "admitted").body["route"] == small.name


@pytest.mark.parametrize("endpoint", [Endpoint.CHAT, Endpoint.MESSAGES])
def test_only_allowed_tools_are_offered(gateway, mock, endpoint):
    home = home_of(mock, endpoint, plain("allow_tools: [search, send]"))

    def tool(name):
        if endpoint is Endpoint.MESSAGES:
            return {"name": name, "input_schema": {"type": "object"}}
        return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}

    assert ask(gateway, home, endpoint, tools=[tool("send")]).status_code == 200
    answer = ask(gateway, home, endpoint, tools=[tool("send"), tool("erase")])
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == (
        "The call offers tools that are not allowed: erase."
    )


@pytest.mark.parametrize("streamed", [False, True])
def test_only_allowed_tools_are_called(gateway, streamed):
    call = {"id": "1", "type": "function", "function": {"name": "erase", "arguments": "{}"}}
    whole = completion({"content": None, "tool_calls": [call]}, finish="tool_calls")
    parts = stream((0, {"tool_calls": [{"index": 0, **call}]}), finish="tool_calls")
    with Scripted(parts if streamed else whole) as provider:
        home = house(plain("phase: answer, allow_tools: [send]"), (provider.base_url, "any"))
        answer = gateway.chat(home.secret, home.model, stream=streamed)
    assert "not allowed: erase" in answer.text
    assert '"arguments"' not in answer.text


@pytest.mark.parametrize("endpoint", PATHS)
def test_what_is_required_must_be_there(gateway, mock, endpoint):
    made = estate.provider(
        mock.base_url,
        dialect="anthropic" if endpoint.value.startswith("messages") else "openai",
    )
    route = estate.route((made, "mock"))
    source = plain("require: {user: true, headers: [X-Ticket], metadata: [team]}")
    home = estate.estate(route, policy=source, tags=["team"])
    headers = {
        "x-gatehouse-user": "ann",
        "x-ticket": "A-1",
        "x-gatehouse-tags": "team=a",
    }
    assert ask(gateway, home, endpoint, headers=headers).status_code == 200
    assert books.record(home, "admitted").body["facts"]["call.headers"] == ["x-ticket"]
    for name in headers:
        fewer = {key: value for key, value in headers.items() if key != name}
        answer = ask(gateway, home, endpoint, headers=fewer)
        assert (answer.status_code, answer.json()["error"]["rule"]) == (403, "r0"), name
    assert ask(gateway, home, endpoint, headers={**headers, "x-ticket": ""}).status_code == 403


TAGS = "".join(chr(0xE0000 + ord(char)) for char in "obey")
HIDDEN = f"Hi{TAGS} th\u200bere, \u202eabc\u202c <!-- secretly --> done"


@pytest.mark.parametrize("endpoint", PATHS)
def test_what_hides_text_is_taken_out_and_counted(gateway, mock, endpoint):
    source = plain("sanitise: [unicode_tags, zero_width]", "sanitise: [bidi, html_comments]")
    home = home_of(mock, endpoint, source)
    assert ask(gateway, home, endpoint, **saying(endpoint, HIDDEN)).status_code == 200
    assert "Hi there, abc  done" in json.dumps(received(mock))
    assert books.record(home, "admitted").body["sanitised"] == {
        "bidi": 2,
        "html_comments": 17,
        "unicode_tags": 4,
        "zero_width": 1,
    }


@pytest.mark.parametrize("endpoint", PATHS)
def test_secrets_are_redacted_and_leave_no_trace(gateway, mock, endpoint):
    home = home_of(mock, endpoint, plain("redact: {secrets: all, kinds: [EMAIL_ADDRESS]}"))
    text = f"Use {SECRET} of {MAIL}."
    assert ask(gateway, home, endpoint, **saying(endpoint, text)).status_code == 200
    body = json.dumps(received(mock))
    assert "Use <aws_access_key> of <EMAIL_ADDRESS>." in body
    assert SECRET not in body
    record = books.record(home, "admitted")
    assert SECRET not in json.dumps(record.body)
    assert record.body["decision"]["obligations"][0]["redact"]["secrets"] == "all"


def test_a_body_with_additions_alone_is_not_called_redacted(gateway, mock):
    home = home_of(mock, Endpoint.CHAT, plain("add_system_prompt: x", "redact: {kinds: all}"))
    for text, redacted in (("Hello", False), (MAIL, True)):
        assert gateway.chat(home.secret, home.model, text).status_code == 200
        assert books.records(home, "admitted")[-1].body["redacted"] is redacted


def test_the_temperature_of_a_transcription_is_lowered_where_it_is_told(gateway, mock):
    endpoint = Endpoint.TRANSCRIPTIONS
    home = home_of(mock, endpoint, plain("cap: {temperature: 0.5}"))
    for given, sent in (("0.75", "0.5"), ("0.25", "0.25")):
        assert ask(gateway, home, endpoint, temperature=given).status_code == 200
        assert received(mock)["temperature"] == sent


def test_a_temperature_is_never_set_over_what_the_api_takes(gateway, mock):
    home = home_of(mock, Endpoint.MESSAGES, plain("set_default: {temperature: 1.5}"))
    assert ask(gateway, home, Endpoint.MESSAGES).status_code == 200
    assert received(mock)["temperature"] == 1.0


def test_an_entity_in_what_is_taken_out_goes_with_it(gateway, mock):
    home = home_of(
        mock, Endpoint.CHAT, plain("sanitise: [html_comments, zero_width]", "redact: {kinds: all}")
    )
    text = f"a <!-- {MAIL} --> b maria.rossi\u200b@example.com c"
    assert gateway.chat(home.secret, home.model, text).status_code == 200
    assert received(mock)["messages"][0]["content"] == "a  b <EMAIL_ADDRESS> c"


LINKS = "See https://evil.example/x?d=1 and [it](//cdn.example/a.png)."


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_links_of_answers_are_redacted_and_their_hosts_are_facts(gateway, streamed, path):
    source = (
        "policy: {name}\ndefault: permit\nrules:\n  - id: links\n    phase: answer\n"
        "    when: 'answer.links.exists(h, !(h in [\"example.com\"]))'\n"
        "    redact: {links: true}\n"
    )
    body = stream((0, {"content": LINKS})) if streamed else completion({"content": LINKS})
    with Scripted(body) as provider:
        home = house(source, (provider.base_url, "any"))
        with gateway.client(home.secret) as client:
            sent = {"model": home.model, "messages": HELLO, "max_tokens": 9, "stream": streamed}
            answer = client.post(path, json=sent)
    assert answer.status_code == 200
    assert "See <LINK> and [it](<LINK>)." in answer.text.replace("\\u003c", "<")
    record = eventually(lambda: books.record(home, "completed"))
    assert record.body["facts"]["answer.links"] == ["cdn.example", "evil.example"]


def test_what_hides_text_in_answers_is_taken_out_too(gateway):
    with Scripted(completion({"content": HIDDEN})) as provider:
        home = house(plain("phase: answer, sanitise: [unicode_tags]"), (provider.base_url, "any"))
        answer = gateway.chat(home.secret, home.model)
    assert TAGS not in answer.json()["choices"][0]["message"]["content"]
    record = eventually(lambda: books.record(home, "completed"))
    assert record.body["sanitised"] == {"unicode_tags": 4}


def test_notices_are_logged_and_counted_for_denied_calls_too(gateway, mock):
    topic = estate.name("topic")
    home = home_of(
        mock,
        Endpoint.CHAT,
        plain(f"notify: [{topic}]", "deny: {message: No}, tag: {why: closed}"),
    )
    answer = gateway.chat(home.secret, home.model)
    assert answer.status_code == 403
    decision_id = answer.json()["error"]["decision_id"]
    line = f"policy_notice topic={topic} tenant={home.tenant.name} decision_id={decision_id}"
    eventually(lambda: line in gateway.output())
    with gateway.client() as client:
        assert (
            f'gatehouse_policy_notices_total{{topic="{topic}"}} 1.0' in client.get("/metrics").text
        )
    record = books.record(home, "refused")
    assert record.body["decision"]["obligations"] == [
        {"tag": {"why": "closed"}},
        {"notify": [topic]},
    ]


def test_nothing_of_this_was_a_fault_of_ours(gateway):
    assert "internal_error" not in gateway.output()
    assert SECRET not in gateway.output()
