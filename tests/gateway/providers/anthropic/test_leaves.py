"""Nothing that a body says escapes the inspection view, and all of it can be replaced."""

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import Body, Edit, Endpoint, View
from gateway.providers.anthropic import vocabulary
from gateway.providers.anthropic.leaves import answer_view, view
from gateway.providers.edits import apply
from gateway.providers.fault import TooDeep
from tests.gateway.providers.anthropic.bodies import ANSWER, REQUEST, SEALED
from tests.gateway.providers.openai.bodies import get, planted, strings
from tests.gateway.providers.openai.test_leaves import CANARY, containing, without

OPAQUE = ("encrypted_content", "encrypted_index", "encrypted_stdout", "signature")
PATHS = [path for path, _ in strings(REQUEST) if path != ("model",)]
ANSWER_PATHS = [path for path, _ in strings(ANSWER)]
SHAPES = [[CANARY], {"x": CANARY}, {CANARY: True}, [[{"y": [CANARY]}]], [{CANARY: {}}]]
FREE = [
    ("messages", 2, "content", 3, "input"),
    ("messages", 2, "content", 3, "input", "n", 1),
    ("messages", 5, "extra"),
    ("tools", 0, "input_schema", "properties"),
    ("tools", 0, "input_examples", 0),
    ("tools", 3, "configs"),
    ("output_config", "format", "schema", "properties"),
    ("strange",),
]


def ids(path):
    return "/".join(map(str, path))


def seen(body: Body) -> View:
    return view(body, Endpoint.MESSAGES)


def is_data(body: Body, path) -> bool:
    return path[-1] == "data" and bool(get(body, path[:-1])["type"] == "base64")


@pytest.mark.parametrize("path", PATHS, ids=ids)
def test_canary_in_every_json_leaf_of_a_request(path):
    body = planted(REQUEST, path, CANARY)
    found = seen(body)
    if is_data(REQUEST, path):
        assert {"image", "file"} & set(found.uninspected)
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


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1] != "role"], ids=ids)
def test_canary_of_any_shape_in_any_field(path):
    """A wrong type at a known field hides nothing either."""
    for value in SHAPES:
        body = planted(REQUEST, path, value)
        found = seen(body)
        assert containing(found, CANARY)
        assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("value", [CANARY, *SHAPES])
@pytest.mark.parametrize(
    "path",
    [
        ("content",),
        ("content", 0),
        ("content", 2, "citations"),
        ("content", 5, "content"),
        ("content", 7, "content", "content"),
        ("content", 7, "content", "content", "source"),
        ("content", 12, "input"),
        ("usage",),
        ("usage", "input_tokens"),
        ("stop_details",),
    ],
    ids=ids,
)
def test_canary_of_any_shape_in_an_answer(path, value):
    body = planted(ANSWER, path, value)
    found = answer_view(body)
    assert containing(found, CANARY)
    assert CANARY not in json.dumps(without(body, found, CANARY))


@pytest.mark.parametrize("path", [*FREE, ("messages", 1, "content", 1), ("tools", 0), ()], ids=ids)
@pytest.mark.parametrize("value", ["v", True, None, 7, {}, {"in": "v"}, ["v"]])
def test_canary_as_a_key_wherever_keys_are_free(path, value):
    there = get(REQUEST, path)
    body = planted(REQUEST, path, {**(there if isinstance(there, dict) else {}), CANARY: value})
    found = seen(body)
    cleaned = without(body, found, CANARY)
    assert CANARY not in json.dumps(cleaned)
    assert get(cleaned, path)["[MASK]"] == value


NAMES = sorted(vocabulary.FIELDS - {"type", "data"})
KINDS = sorted(vocabulary.VALUES["type"])
NODES = st.recursive(
    st.just(CANARY) | st.none() | st.integers(0, 9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.just(CANARY), inner, max_size=3)
        | st.builds(
            lambda kind, rest: {"type": kind, **rest},
            st.sampled_from(KINDS),
            st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), NODES, max_size=4), NODES)
def test_no_canary_escapes_however_the_fields_are_put_together(fields, content):
    request = {**fields, "messages": [{"role": "user", "content": content}], "tools": []}
    for body, found in [(request, seen(request)), (fields, answer_view(fields))]:
        edits = [
            Edit(index, match.start(), match.end(), "[MASK]")
            for index, leaf in enumerate(found.leaves)
            for match in re.finditer(CANARY, leaf.text)
        ]
        model = {} if body is fields else {"model": None}  # it never travels
        assert CANARY not in json.dumps({**apply(body, found, edits), **model})


def test_the_request_as_it_stands():
    found = seen(REQUEST)
    texts = {leaf.place: (leaf.role, leaf.text) for leaf in found.leaves}
    assert texts["system"] == ("system", "be kind always")
    assert texts["messages/0/content"] == ("user", "plain")
    assert texts["messages/1/content"] == ("user", "firstsecond")
    assert texts["messages/1/content/5/context"] == ("user", "of last year")
    assert texts["messages/1/content/8/source/data"] == ("user", "written")
    assert texts["messages/1/content/9/source/content"] == ("user", "part")
    assert texts["messages/1/content/10/source/content"] == ("user", "whole")
    assert texts["messages/1/content/12/content"] == ("user", "noted")
    assert texts["messages/1/content/14"] == ("user", "third")
    assert "cited_text: cited" in texts["messages/1"][1]
    assert texts["messages/2/content/0/thinking"] == ("assistant", "hm")
    assert texts["messages/2/content/3/input"] == ("assistant", "city: Paris\nn: two")
    assert texts["messages/2/content/8/content/content/source/data"] == ("tool", "fetched")
    assert texts["messages/2/content/10/content/stdout"] == ("tool", "out")
    assert texts["messages/3/content/0/content"] == ("tool", "sunny")
    assert texts["messages/3/content/0"] == ("tool", "tool_use_id: toolu_1")
    assert texts["messages/3/content/1/content"] == ("tool", "wet and cold")
    assert texts["messages/4/content"] == ("system", "from now on")
    assert texts["tools/0"][0] == "tools"
    assert texts["metadata"] == ("request", "user_id: alice")
    assert texts["unknown"] == ("request", "strange: \nnew: field\nof: theirs")
    assert not {"model", "temperature", "stream", "thinking", "service_tier"} & set(texts)


def test_what_is_opaque_is_named_by_its_kind():
    found = sorted(seen(REQUEST).uninspected)
    media = ["image"] * 5 + ["file"] * 3
    # two other urls of images, one of a document, files by id, uploads, an output, two tools of
    # the provider's, a container and a server
    references = ["reference"] * (3 + 1 + 2 + 1 + 1 + 2 + 2)
    encrypted = ["encrypted"] * 5  # an index, a signature, thinking, a page, an output
    assert found == sorted([*media, *references, *encrypted, "other", "other"])
    assert set(answer_view(ANSWER).uninspected) == {"encrypted", "reference", "other"}


@pytest.mark.parametrize("field", OPAQUE)
def test_what_is_sealed_is_left_out_only_where_it_looks_so(field):
    block = {"type": "thinking", "thinking": "", field: SEALED}
    body = {"messages": [{"role": "assistant", "content": [block]}]}
    assert (seen(body).leaves, seen(body).uninspected) == ((), ("encrypted",))
    for text in (
        SEALED + " ",
        f"sk-ant-{SEALED}",
        SEALED[:30],
        "4111 1111 1111 1111" * 3,
        f"{SEALED}\n",
    ):
        block[field] = text
        found = seen(body)
        assert [leaf.text for leaf in found.leaves] == [f"{field}: {text}"]
        assert found.uninspected == ()


def test_places_name_no_key_that_a_client_chose():
    body = {**REQUEST, "a@b.example": "x", "metadata": {"c@d.example": {"e@f.example": "y"}}}
    assert not any("@" in leaf.place for leaf in seen(body).leaves)


def test_every_segment_is_what_stands_at_its_path():
    for body, found in [(REQUEST, seen(REQUEST)), (ANSWER, answer_view(ANSWER))]:
        for leaf, segments in zip(found.leaves, found.segments, strict=True):
            for segment in segments:
                parent = get(body, segment.path[:-1])
                step = segment.path[-1]
                named = isinstance(parent, dict) and isinstance(step, int)
                there = list(parent)[step] if named else get(body, segment.path)
                assert leaf.text[segment.start : segment.end] == there


@pytest.mark.parametrize("content", [True, False])
def test_case_24_adjacent_text_blocks_are_one_leaf(content):
    blocks = [{"type": "text", "text": text} for text in ("sk-12", "", "345")]
    body: Body = {"messages": [{"role": "user", "content": "x"}]}
    if content:
        body["messages"][0]["content"] = blocks
    else:
        body["system"] = blocks
    found = seen(body)
    index = [leaf.text for leaf in found.leaves].index("sk-12345")
    edited = apply(body, found, [Edit(index, 3, 7, "***")])
    there = edited["messages"][0]["content"] if content else edited["system"]
    assert [block["text"] for block in there] == ["sk-***", "", "5"]


def test_a_long_number_is_read_and_replaced_where_no_number_belongs():
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"card": 4111111111111111}}
    body = {"messages": [{"role": "assistant", "content": [block]}], "max_tokens": 12345678}
    found = seen(body)
    index, leaf = containing(found, "4111111111111111")[0]
    assert leaf.text == "card: 4111111111111111"
    edited = apply(body, found, [Edit(index, 6, 22, "[N]")])
    assert edited["messages"][0]["content"][0]["input"] == {"card": "[N]"}
    assert not containing(found, "12345678")


def test_the_numbers_of_an_answer_are_numbers():
    assert not containing(answer_view(ANSWER), "12345678")
    assert answer_view({"input_tokens": 12_345_678}).leaves == ()


def test_a_body_nested_beyond_what_is_walked_is_refused():
    deep: object = ["a"]
    for _ in range(100):
        deep = [{"b": deep}]
    results: object = []
    for _ in range(100):
        results = [{"type": "tool_result", "content": results}]
    for body in ({"odd": deep}, {"content": deep}, {"content": results}):
        with pytest.raises(TooDeep):
            answer_view(body)
        with pytest.raises(TooDeep):
            seen({"messages": [{"role": "user", **body}]})


def test_the_view_changes_nothing():
    before = copy.deepcopy(REQUEST)
    seen(REQUEST)
    assert before == REQUEST
