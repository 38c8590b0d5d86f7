"""Nothing that a body says escapes the inspection view, and all of it can be replaced."""

import json

import pytest

from gateway.exchange import NESTED, Body, Edit, Endpoint, View
from gateway.providers.edits import apply
from gateway.providers.fault import TooDeep
from gateway.providers.responses.leaves import answer_view, view
from tests.gateway.providers.openai.bodies import get, planted, strings
from tests.gateway.providers.openai.test_leaves import CANARY, containing, without
from tests.gateway.providers.responses.bodies import ANSWER, DATA, FERNET, REQUEST, SEALED

PATHS = [path for path, _ in strings(REQUEST) if path != ("model",)]
ANSWER_PATHS = [path for path, _ in strings(ANSWER)]
SHAPES = [[CANARY], {"x": CANARY}, {CANARY: True}, [[{"y": [CANARY]}]], [{CANARY: {}}]]
FREE = [
    ("input", 4, "arguments", NESTED),
    ("input", 8),
    ("input", 1, "content", 7),
    ("tools", 0, "parameters", "properties"),
    ("tools", 2, "headers"),
    ("text", "format", "schema", "properties"),
    ("metadata",),
    ("strange",),
    (),
]


def ids(path):
    return "/".join(map(str, path))


def seen(body: Body) -> View:
    return view(body, Endpoint.RESPONSES)


@pytest.mark.parametrize("path", PATHS, ids=ids)
def test_canary_in_every_json_leaf_of_a_request(path):
    body = planted(REQUEST, path, CANARY)
    found = seen(body)
    if path[-1] in {"data", "file_data"}:
        assert {"audio", "file"} & set(found.uninspected)
        assert not containing(found, CANARY)
        return
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", ANSWER_PATHS, ids=ids)
def test_canary_in_every_json_leaf_of_an_answer(path):
    body = planted(ANSWER, path, CANARY)
    found = answer_view(body)
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", [path for path in PATHS if NESTED not in path], ids=ids)
def test_canary_of_any_shape_in_any_field(path):
    """A wrong type at a known field hides nothing either."""
    for value in SHAPES:
        if path[0] == "tools" and path[-1] == "type":
            continue  # parse refuses every other
        body = planted(REQUEST, path, value)
        found = seen(body)
        assert containing(found, CANARY)
        assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("value", [CANARY, *SHAPES])
@pytest.mark.parametrize(
    "path",
    [
        ("output",),
        ("output", 0),
        ("output", 0, "summary"),
        ("output", 1, "content"),
        ("output", 1, "content", 0),
        ("output", 1, "content", 0, "logprobs"),
        ("output", 1, "content", 0, "logprobs", 0),
        ("output", 1, "content", 0, "logprobs", 0, "bytes"),
        ("output", 1, "content", 0, "logprobs", 0, "top_logprobs"),
        ("output", 4, "action"),
        ("usage",),
        ("usage", "input_tokens"),
        ("incomplete_details",),
        ("error",),
        ("text",),
    ],
    ids=ids,
)
def test_canary_of_any_shape_in_an_answer(path, value):
    body = planted(ANSWER, path, value)
    found = answer_view(body)
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", FREE, ids=ids)
@pytest.mark.parametrize("value", ["v", True, None, 7, {}, {"in": "v"}, ["v"]])
def test_canary_as_a_key_wherever_keys_are_free(path, value):
    body = planted(REQUEST, path, {**get(REQUEST, path), CANARY: value})
    found = seen(body)
    cleaned = without(body, found, CANARY)
    assert CANARY not in json.dumps(cleaned)
    assert get(cleaned, path)["[MASK]"] == value


def test_the_request_as_it_stands():
    found = seen(REQUEST)
    texts = {leaf.place: (leaf.role, leaf.text) for leaf in found.leaves}
    assert texts["instructions"] == ("system", "be kind")
    assert texts["input/0/content"] == ("developer", "from now on")
    assert texts["input/1/content"] == ("user", "firstsecond")
    assert texts["input/2/summary"] == ("assistant", "hm")
    assert texts["input/2/content"] == ("assistant", "so")
    assert texts["input/3/content"] == ("assistant", "saidno")
    assert texts["input/4/arguments"] == ("assistant", "city: Paris\nn: two")
    assert texts["input/5/input"] == ("assistant", "free")
    assert texts["input/6/output"] == ("tool", "sunny")
    assert texts["input/7/output"] == ("tool", "loud")
    assert texts["tools/0"][0] == "tools"
    assert texts["metadata"] == ("request", "ticket: T-1")
    assert texts["include"] == ("request", "include: elsewhere")
    assert texts["unknown"] == ("request", "strange: \nnew: field\nof: theirs")
    quiet = {"model", "temperature", "max_output_tokens", "truncation", "reasoning"}
    assert not quiet & set(texts)
    media = ["image", "image", "file", "file", "audio", "other"]
    # a file by its id, one by its address, a server
    assert sorted(found.uninspected) == sorted([*media, *["reference"] * 3, *["other"] * 3])


def test_a_text_alone_is_the_users():
    found = seen({"model": "m", "input": "hello"})
    assert [(leaf.role, leaf.place, leaf.text) for leaf in found.leaves] == [
        ("user", "input", "hello")
    ]


@pytest.mark.parametrize("sealed", [SEALED, FERNET])
def test_what_is_sealed_is_left_out_only_where_it_looks_so(sealed):
    item = {"type": "reasoning", "summary": [], "encrypted_content": sealed}
    assert seen({"input": [item]}).uninspected == ("encrypted",)
    assert seen({"input": [item]}).leaves == ()
    for text in (f"sk-proj-{sealed}", sealed[:30], f"{sealed}\n", f"{sealed} "):
        item["encrypted_content"] = text
        assert containing(seen({"input": [item]}), text)
        assert seen({"input": [item]}).uninspected == ()


def test_an_image_is_named_wherever_it_stands():
    part = {"type": "input_image", "image_url": DATA}
    found = seen({"input": [{"role": "user", "content": [part]}]})
    assert (found.leaves, found.uninspected) == ((), ("image",))
    made = {"type": "image_generation_call", "result": SEALED, "id": "ig"}
    assert answer_view({"output": [made]}).uninspected == ("other", "image")


def test_the_tokens_of_an_answer_spell_its_text_once_more():
    found = answer_view(ANSWER)
    index = [leaf.place for leaf in found.leaves].index("output/1/content/0/logprobs")
    assert found.leaves[index].text == "Good day."
    edited = apply(ANSWER, found, [Edit(index, 2, 7, "***")])
    tokens = edited["output"][1]["content"][0]["logprobs"]
    assert [entry["token"] for entry in tokens] == ["Go***", "y."]
    assert [entry["bytes"] for entry in tokens] == [None, None]


def test_every_segment_is_what_stands_at_its_path():
    for body, found in [(REQUEST, seen(REQUEST)), (ANSWER, answer_view(ANSWER))]:
        for leaf, segments in zip(found.leaves, found.segments, strict=True):
            for segment in segments:
                parent = get(body, segment.path[:-1])
                step = segment.path[-1]
                named = isinstance(parent, dict) and isinstance(step, int)
                there = list(parent)[step] if named else get(body, segment.path)
                assert leaf.text[segment.start : segment.end] == there


def test_a_body_nested_beyond_what_is_walked_is_refused():
    deep: object = ["a"]
    for _ in range(100):
        deep = [{"b": deep}]
    with pytest.raises(TooDeep):
        seen({"input": "x", "odd": deep})
    with pytest.raises(TooDeep):
        answer_view({"output": [{"type": "message", "content": deep}]})
