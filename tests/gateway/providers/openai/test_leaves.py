"""Nothing that a body says escapes the inspection view, and all of it can be replaced."""

import copy
import json

import pytest

from gateway.exchange import NESTED, Body, Edit, Endpoint, View
from gateway.providers.edits import apply
from gateway.providers.fault import TooDeep
from gateway.providers.openai.leaves import answer_view, view
from policies.detectors.finding import Leaf
from tests.gateway.providers.openai.bodies import ANSWER, EMBEDDED, REQUEST, get, planted, strings

CANARY = "CANARY bird-7"
OPAQUE = {"image", "audio", "file"}


def containing(found: View, text: str) -> list[tuple[int, Leaf]]:
    return [(index, leaf) for index, leaf in enumerate(found.leaves) if text in leaf.text]


def without(body: Body, found: View, text: str) -> Body:
    """The body with every occurrence of a text masked through the view."""
    edits = []
    for index, leaf in containing(found, text):
        start = leaf.text.index(text)
        edits.append(Edit(index, start, start + len(text), "[MASK]"))
    return apply(body, found, edits)


CHAT_PATHS = [path for path, _ in strings(REQUEST) if path != ("model",)]
ANSWER_PATHS = [path for path, _ in strings(ANSWER)]


@pytest.mark.parametrize("path", CHAT_PATHS, ids=lambda path: "/".join(map(str, path)))
def test_canary_in_every_json_leaf_of_a_request(path):
    body = planted(REQUEST, path, CANARY)
    found = view(body, Endpoint.CHAT)
    if path[-1] in {"data", "file_data"}:
        assert OPAQUE & set(found.uninspected)
        assert not containing(found, CANARY)
        return
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", ANSWER_PATHS, ids=lambda path: "/".join(map(str, path)))
def test_canary_in_every_json_leaf_of_an_answer(path):
    body = planted(ANSWER, path, CANARY)
    found = answer_view(body)
    if path[-1] == "data":
        assert "audio" in found.uninspected
        return
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", [path for path, _ in strings(EMBEDDED)])
def test_canary_in_every_json_leaf_of_embeddings(path):
    body = planted(EMBEDDED, path, CANARY)
    found = answer_view(body)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize(
    "value", [CANARY, [CANARY], {"x": CANARY}, {CANARY: True}, [[{"y": [CANARY]}]], [{CANARY: {}}]]
)
@pytest.mark.parametrize(
    "path",
    [p for p in CHAT_PATHS if p[:2] not in {("messages", i) for i in range(9)}]
    + [
        ("messages", 3, "content"),
        ("messages", 3, "name"),
        ("messages", 2, "content", 0, "image_url"),
        ("messages", 2, "content", 0, "file"),
        ("messages", 2, "content", 0, "input_audio"),
        ("messages", 3, "audio"),
        ("messages", 3, "function_call", "arguments"),
    ],
)
def test_canary_of_any_shape_in_any_field(path, value):
    """A wrong type at a known field hides nothing either."""
    if path[0] in {"tools", "functions"} and len(path) == 3 and path[2] == "type":
        value = CANARY  # parse refuses every other
    body = copy.deepcopy(REQUEST)
    place = get(body, path[:-1])
    if NESTED in path or not isinstance(place, (dict, list)):
        return
    place[path[-1]] = value
    found = view(body, Endpoint.CHAT)
    if path[-1] in {"data", "file_data"} and value == CANARY:
        return
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("value", [CANARY, [CANARY], {CANARY: 1}, [[CANARY]], [{"a": CANARY}]])
@pytest.mark.parametrize(
    "path",
    [
        ("choices", 0, "logprobs"),
        ("choices", 0, "logprobs", "content"),
        ("choices", 0, "logprobs", "content", 0),
        ("choices", 0, "logprobs", "content", 0, "token"),
        ("choices", 0, "logprobs", "content", 0, "bytes"),
        ("choices", 0, "logprobs", "content", 0, "logprob"),
        ("choices", 0, "logprobs", "content", 0, "top_logprobs"),
        ("choices", 0, "logprobs", "content", 0, "top_logprobs", 1),
        ("choices", 0, "message"),
        ("choices", 0, "message", "content"),
        ("choices", 0, "message", "audio"),
        ("choices", 0, "message", "audio", "data"),
        ("choices", 0, "message", "tool_calls"),
        ("choices", 0),
        ("choices",),
        ("usage",),
        ("usage", "prompt_tokens"),
    ],
)
def test_canary_of_any_shape_in_an_answer(path, value):
    body = planted(ANSWER, path, value)
    found = answer_view(body)
    if path[-1] == "data" and value == CANARY:
        return
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize(
    "path",
    [
        ("messages", 3, "tool_calls", 0, "function", "arguments", NESTED),
        ("messages", 3, "function_call", "arguments", NESTED, "q", 1),
        ("messages", 7, "extra"),
        ("messages", 7),
        ("messages", 2, "content", 0),
        ("tools", 0, "function", "parameters", "properties"),
        ("tools", 0, "function", "parameters"),
        ("tools", 0),
        ("tools", 2, "filters"),
        ("response_format", "json_schema", "schema", "properties"),
        ("metadata",),
        ("logit_bias",),
        ("strange",),
        (),
    ],
)
@pytest.mark.parametrize("value", ["v", True, None, 7, {}, {"in": "v"}, ["v"]])
def test_canary_as_a_key_wherever_keys_are_free(path, value):
    body = planted(REQUEST, path, {**get(REQUEST, path), CANARY: value})
    found = view(body, Endpoint.CHAT)
    cleaned = without(body, found, CANARY)
    assert CANARY not in json.dumps(cleaned)
    assert get(cleaned, path)["[MASK]"] == value


def test_the_request_as_it_stands():
    found = view(REQUEST, Endpoint.CHAT)
    texts = {leaf.place: (leaf.role, leaf.text) for leaf in found.leaves}
    assert texts["messages/0/content"] == ("system", "be kind")
    assert texts["messages/0"] == ("system", "name: operator")
    assert texts["messages/2/content"] == ("user", "firstsecond")
    assert texts["messages/2/content/8"] == ("user", "third")
    assert texts["messages/2"][1].splitlines() == [
        "url: https://h/i.png",
        "image_url: https://h/j.png",
        "filename: f.pdf",
        "file_id: file-1",
        "type: video_url",
        "video_url: ",
        "url: https://h/v.mp4",
    ]
    assert texts["messages/3/tool_calls/0/function/arguments"] == (
        "assistant",
        "city: Paris\nn: two",
    )
    assert texts["messages/3/tool_calls/1/function/arguments"] == ("assistant", "{x")
    assert texts["messages/3/tool_calls/2/custom/input"] == ("assistant", "free")
    assert texts["messages/5/content"] == ("tool", "sunny")
    assert texts["tools/0"][0] == "tools"
    assert texts["metadata"] == ("request", "ticket: T-1")
    assert texts["unknown"] == ("request", "strange: \nnew: field\nof: theirs")
    assert not {"model", "temperature", "stream", "seed"} & set(texts)
    parts = ["image", "image", "image", "audio", "file", "reference", "other"]
    elsewhere = ["reference"] * 3  # audio that is kept, a server's tool, an earlier answer
    assert sorted(found.uninspected) == sorted([*parts, *elsewhere])


def test_places_name_no_key_that_a_client_chose():
    body = {**REQUEST, "a@b.example": "x", "metadata": {"c@d.example": {"e@f.example": "y"}}}
    assert not any("@" in leaf.place for leaf in view(body, Endpoint.CHAT).leaves)


def test_every_segment_is_what_stands_at_its_path():
    for body, found in [(REQUEST, view(REQUEST, Endpoint.CHAT)), (ANSWER, answer_view(ANSWER))]:
        for leaf, segments in zip(found.leaves, found.segments, strict=True):
            for segment in segments:
                parent = get(body, segment.path[:-1])
                step = segment.path[-1]
                named = isinstance(parent, dict) and isinstance(step, int)
                there = list(parent)[step] if named else get(body, segment.path)
                assert leaf.text[segment.start : segment.end] == there


def test_case_24_adjacent_text_parts_are_one_leaf():
    parts = [{"type": "text", "text": text} for text in ("sk-12", "", "345")]
    body = {"messages": [{"role": "user", "content": parts}]}
    found = view(body, Endpoint.CHAT)
    assert [leaf.text for leaf in found.leaves] == ["sk-12345"]
    edited = apply(body, found, [Edit(0, 3, 7, "***")])
    texts = [part["text"] for part in edited["messages"][0]["content"]]
    assert texts == ["sk-***", "", "5"]


def test_a_long_number_is_read_and_replaced_where_no_number_belongs():
    arguments = (
        '{"card": 4111111111111111, "pin": 1234, "f": 41111111.0, "g": 12345678.5, "ok": true}'
    )
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    body = {
        "messages": [{"role": "assistant", "content": None, "tool_calls": [call]}],
        "odd": 4111111111111111,
        "created": 4111111111111111,
        "stop": 4111111111111111,
    }
    found = view(body, Endpoint.CHAT)
    texts = {leaf.place: leaf.text for leaf in found.leaves}
    assert texts["unknown"] == "odd: 4111111111111111"
    assert texts["stop"] == "stop: 4111111111111111"
    assert "created" not in texts
    index = [leaf.place for leaf in found.leaves].index(
        "messages/0/tool_calls/0/function/arguments"
    )
    text = found.leaves[index].text
    assert text == "card: 4111111111111111\npin: \nf: 41111111\ng: \nok: "
    edits = [
        Edit(index, text.index(n), text.index(n) + len(n), "[N]")
        for n in ("41111111\n", "4111111111111111")
    ]
    edited = apply(body, found, sorted(edits, key=lambda e: -e.start))
    inner = edited["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(inner) == {
        "card": "[N]",
        "pin": 1234,
        "f": "[N]",
        "g": 12345678.5,
        "ok": True,
    }


@pytest.mark.parametrize(
    ("arguments", "hidden"),
    [
        ('{"a": 1, "a": "x"}', False),
        ('{"a": "\\u0073", "a": "x"}', True),
        ("{\\", True),
        ("", False),
    ],
)
def test_arguments_of_no_single_meaning_are_one_text_and_escapes_are_named(arguments, hidden):
    body = {
        "messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": arguments}}]
    }
    found = view(body, Endpoint.CHAT)
    assert [leaf.text for leaf in found.leaves if "arguments" in leaf.place] == [arguments] * bool(
        arguments
    )
    assert ("json" in found.uninspected) is hidden


def test_escapes_in_arguments_hide_nothing():
    arguments = '{"\\u0073\\u0065cret": "\\u0063anary"}'
    body = {
        "messages": [{"role": "assistant", "function_call": {"name": "f", "arguments": arguments}}]
    }
    assert "secret: canary" in [leaf.text for leaf in view(body, Endpoint.CHAT).leaves]


@pytest.mark.parametrize(
    ("value", "texts", "uninspected"),
    [
        ("one", ["one"], ()),
        (["one", "", "two"], ["one", "two"], ()),
        ([1, 2, 3], [], ("tokens",)),
        ([[1, 2], [3]], [], ("tokens", "tokens")),
    ],
)
def test_what_is_to_be_embedded(value, texts, uninspected):
    found = view({"model": "e", "input": value, "user": "u"}, Endpoint.EMBEDDINGS)
    assert [leaf.text for leaf in found.leaves] == [*texts, "user: u"]
    assert found.uninspected == uninspected


def test_the_numbers_of_usage_are_numbers():
    body = {"usage": {"prompt_tokens": 1_234_567, "total_tokens": 1_234_567}}
    assert answer_view(body).leaves == ()


def test_a_body_nested_beyond_what_is_walked_is_refused():
    for seed in (["a"], {"a": 1}):
        deep: object = seed
        for _ in range(100):
            deep = [{"b": deep}]
        with pytest.raises(TooDeep):
            view({"messages": [], "odd": deep}, Endpoint.CHAT)
        with pytest.raises(TooDeep):
            answer_view({"odd": deep})
    only_lists: object = []
    for _ in range(200):
        only_lists = [only_lists]
    with pytest.raises(TooDeep):
        answer_view({"odd": only_lists})
    only_objects: Body = {}
    for _ in range(200):
        only_objects = {"b": only_objects}
    with pytest.raises(TooDeep):
        answer_view(only_objects)
