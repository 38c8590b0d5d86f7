"""What is sent to a service, and what its answers are. All else is tried over real sockets, in
tests/gateway/proxy/test_services.py and test_service_addresses.py."""

import pytest

from gateway.bundle import Operation, Route, Service
from gateway.exchange import Call, Edit, Endpoint, ServiceCall
from gateway.providers.dialect import Errand, Target
from gateway.providers.dialects import between, wire
from gateway.providers.edits import apply
from gateway.providers.fault import BadAnswer, BadRequest, Unenforceable
from gateway.providers.service.client import parse
from gateway.providers.service.native import ServiceNative, is_of_kind

OPERATION = Operation("find", "POST", "/c/{name}/find", ("label",), "json")
SERVICE = Service("vectors", Route("/services/vectors", 0, 0, ()), (OPERATION,), "api-key", "")
TARGET = Target("vectors", "https://db.example/v1/", 0, stream=False)
ERRAND = Errand(
    "https://db.example/v1/", "vectors", "secret", stream=False, request_id="r", now_s=0
)


def call(value, name="docs", query=(("label", "a/b"),)):
    found = ServiceCall(SERVICE, SERVICE.route, OPERATION, (("name", name),), query)
    return parse(found, value, 10)


def request(made, body):
    return wire("service").request(ServiceNative().outgoing(made, body, TARGET), ERRAND)


def test_what_was_judged_is_sent():
    made = call({"vector": [1.0], "k": 3})
    assert (made.endpoint, made.model) == (Endpoint.SERVICE, "/services/vectors")
    sent = request(made, made.body)
    assert sent.method == "POST"
    assert sent.url == "https://db.example/v1/c/docs/find?label=a%2Fb"
    assert sent.body == b'{"vector":[1.0],"k":3}'
    assert sent.headers["api-key"] == "secret"
    listing = wire("service").listing(ERRAND)
    assert (listing.method, listing.body) == ("GET", b"")


def test_every_string_number_and_key_is_in_the_view():
    value = {"text": "one", "list": ["two", {"three": "four"}], "n": 4111111111111111, "f": 0.5}
    view = call(value).view
    assert [(leaf.place, leaf.text) for leaf in view.leaves] == [
        ("path", "name: docs"),
        ("query", "label: a/b"),
        ("json", "text: one\nlist: two\nthree: four\nn: 4111111111111111\nf: "),
    ]
    assert [leaf.text for leaf in call("alone").view.leaves][-1] == "alone"


def test_an_edit_changes_what_is_sent_but_never_where():
    made = call(["to me"])
    inside = apply(made.body, made.view, [Edit(2, 3, 5, "you")])
    assert request(made, inside).body == b'["to you"]'
    labelled = apply(made.body, made.view, [Edit(1, 7, 8, "x")])
    assert request(made, labelled).url.endswith("?label=x%2Fb")
    moved = apply(made.body, made.view, [Edit(0, 6, 10, "x")])
    with pytest.raises(Unenforceable) as caught:
        request(made, moved)
    assert caught.value.param == "path.name"


def test_a_body_is_of_one_reading():
    deep = value = []
    for _ in range(200):
        value.append([])
        value = value[0]
    for wrong in ({"a": "\0"}, deep, {"stream": True}):
        with pytest.raises(BadRequest):
            call(wrong)
    with pytest.raises(BadRequest, match="takes label"):
        call({}, query=(("other", "x"),))


def test_only_a_service_is_asked_for_an_operation():
    other = Call(Endpoint.CHAT, "m", {}, 0, call({}).view)
    with pytest.raises(BadRequest):
        ServiceNative().outgoing(other, {}, TARGET)
    assert between(Endpoint.CHAT, "service") is None
    assert between(Endpoint.SERVICE, "openai") is None


def test_answers_are_of_the_declared_kind():
    answer = ServiceNative("json").answer(b'["x"]', viewed=True, created_s=0)
    assert (answer.body, answer.shape, answer.text_bytes) == ({"json": ["x"]}, "value", 1)
    unseen = ServiceNative("json").answer(b'["x"]', viewed=False, created_s=0)
    assert unseen.view.leaves == ()
    empty = ServiceNative("json").answer(b"", viewed=True, created_s=0)
    dropped = ServiceNative("none").answer(b"whatever", viewed=True, created_s=0)
    assert empty.shape == dropped.shape == "nothing"
    text = ServiceNative("text").answer("\u00e9".encode(), viewed=True, created_s=0)
    assert (text.body, text.text_bytes) == ({"text": "\u00e9"}, 2)
    for kind, raw in (("json", b"{"), ("text", b"\xff"), ("text", b"a\0")):
        with pytest.raises(BadAnswer):
            ServiceNative(kind).answer(raw, viewed=True, created_s=0)


@pytest.mark.parametrize(
    ("kind", "content_type", "is_good"),
    [
        ("json", "application/json", True),
        ("json", "application/problem+json", True),
        ("json", "text/event-stream", False),
        ("text", "text/csv", True),
        ("json", "", True),
        ("text", "application/json", False),
        ("text", "text/event-stream", False),
        ("text", "", False),
        ("none", "image/png", True),
    ],
)
def test_labels_of_answers(kind, content_type, is_good):
    assert is_of_kind(kind, content_type) == is_good


def test_an_operation_without_a_body_sends_none():
    ping = Operation("ping", "GET", "/ping", answer="text")
    made = parse(ServiceCall(SERVICE, SERVICE.route, ping, (), ()), None, 0)
    outgoing = ServiceNative("text").outgoing(made, made.body, TARGET)
    sent = wire("service").request(outgoing, ERRAND._replace(secret=None))
    assert (sent.method, sent.url, sent.body) == ("GET", "https://db.example/v1/ping", b"")
    assert sent.headers.keys() == {"accept", "user-agent", "x-request-id"}
    assert made.view.leaves == ()


def test_nothing_of_an_error_is_passed_on():
    assert wire("service").error_message(b'{"error": "of the data"}') == ""
    assert wire("service").meaning(409, b"{}") == (409, False)
