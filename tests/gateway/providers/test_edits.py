"""Edits reach the body where the view found the text, and nowhere else."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchange import NESTED, Edit, Endpoint, Path, View
from gateway.providers.anthropic import leaves as anthropic
from gateway.providers.edits import apply
from gateway.providers.openai.leaves import answer_view, view
from tests.gateway.providers.openai.bodies import ANSWER, get


def test_a_masked_token_of_the_log_probabilities_loses_its_bytes():
    found = answer_view(ANSWER)
    edited = apply(
        ANSWER,
        found,
        [
            Edit(i, 0, 3, "[MASK]")
            for i, leaf in enumerate(found.leaves)
            if leaf.text.startswith("HelH") or leaf.text.startswith("Hello\n")
        ],
    )
    entry = edited["choices"][0]["logprobs"]["content"][0]
    assert (entry["token"], entry["bytes"]) == ("[MASK]", None)
    assert (entry["top_logprobs"][0]["token"], entry["top_logprobs"][0]["bytes"]) == (
        "[MASK]",
        None,
    )
    assert (
        found.leaves[[leaf.place for leaf in found.leaves].index("choices/0/logprobs/content")].text
        == "Hello\nodd: x"
    )


def test_two_keys_that_become_the_same_stay_two():
    body = {"messages": [], "metadata": {"a@x": 1, "[M]": 2, "b@x": 3}}
    found = view(body, Endpoint.CHAT)
    text = found.leaves[0].text
    edits = [Edit(0, text.index(key), text.index(key) + 3, "[M]") for key in ("a@x", "b@x")]
    assert apply(body, found, edits)["metadata"] == {"[M]": 1, "[M]_2": 2, "[M]_3": 3}


@pytest.mark.parametrize(
    "field",
    [
        "model",
        "stream",
        "previous_response_id",
        "models",
        "system",
        "stop_sequences",
        "mcp_servers",
    ],
)
def test_a_key_never_becomes_a_field_of_the_api_by_being_edited(field):
    body = {"messages": [], field[:2] + "a@b" + field[2:]: "x"}
    found = view(body, Endpoint.CHAT)
    assert list(apply(body, found, [Edit(0, 2, 5, "")])) == ["messages", f"{field}_2"]


def test_an_edit_over_a_key_and_its_value_takes_both_and_one_between_them_nothing():
    body = {"messages": [], "metadata": {"token": "abc"}}
    found = view(body, Endpoint.CHAT)
    assert apply(body, found, [Edit(0, 2, 9, "X")])["metadata"] == {"toX": "c"}
    assert apply(body, found, [Edit(0, 5, 7, "X")]) == body


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 0, 3, ""), Edit(0, 2, 4, "")],
        [Edit(0, 1, 1, "x")],
        [Edit(0, -1, 2, "")],
        [Edit(0, 0, 99, "")],
    ],
)
def test_edits_that_make_no_sense_are_refused(edits):
    body = {"messages": [{"role": "user", "content": "hello"}]}
    with pytest.raises(ValueError, match="edit"):
        apply(body, view(body, Endpoint.CHAT), edits)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
BODIES = st.builds(
    lambda texts, arguments, metadata: {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": text} for text in texts]},
            {
                "role": "assistant",
                "content": "ok",
                "function_call": {"name": "f", "arguments": json.dumps(arguments)},
            },
        ],
        "metadata": {"m": metadata},
        "unknown": metadata,
    },
    st.lists(st.text(max_size=6), max_size=4),
    JSON,
    JSON,
)


CLAUDE_BODIES = st.builds(
    lambda texts, value, results: {
        "system": [{"type": "text", "text": text, "cache_control": None} for text in texts],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": text} for text in results]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "short"},
                    {"type": "tool_use", "id": "t", "name": "f", "input": {"i": value}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": text} for text in results],
                    },
                    {"type": "document", "source": {"type": "text", "data": "written"}},
                ],
            },
        ],
        "unknown": value,
    },
    st.lists(st.text(max_size=6), max_size=4),
    JSON,
    st.lists(st.text(max_size=6), max_size=3),
)


@given(BODIES, st.data())
def test_apply_replaces_what_is_edited_and_nothing_else(body, data):
    assert_only_edits_are_made(body, view(body, Endpoint.CHAT), data)


@given(CLAUDE_BODIES, st.data())
def test_apply_replaces_what_is_edited_in_the_anthropic_dialect_too(body, data):
    assert_only_edits_are_made(body, anthropic.view(body, Endpoint.MESSAGES), data)


def assert_only_edits_are_made(body, found: View, data) -> None:
    before = copy.deepcopy(body)
    edits = data.draw(edits_of(found))
    edited = apply(body, found, edits)
    assert body == before
    for (key, value), there in zip(body.items(), edited.values(), strict=True):
        assert there is value or touches(found, edits, key)
    for index, segments in enumerate(found.segments):
        own = sorted((e for e in edits if e.leaf == index), key=lambda e: e.start)
        for segment in segments:
            if isinstance(segment.path[-1], int) and isinstance(get(body, segment.path[:-1]), dict):
                continue  # a key: its position has no place in a plain path
            expected = expected_text(found.leaves[index].text, segment, segments, own)
            there = get_by_position(body, edited, segment.path)
            assert there == expected if expected is not None else there == get(body, segment.path)


def touches(found: View, edits: list[Edit], key: str) -> bool:
    return any(segment.path[0] == key for e in edits for segment in found.segments[e.leaf])


def get_by_position(before: Any, after: Any, path: Path) -> Any:
    """What stands after the edit where `path` led before, though keys on the way were renamed."""
    for step in path:
        if step == NESTED and isinstance(before, str):
            before, after = json.loads(before), json.loads(after)
        elif isinstance(before, dict):
            position = list(before).index(step)
            before, after = before[step], list(after.values())[position]
        else:
            before, after = before[step], after[step]
    return after


def expected_text(text: str, segment, segments, edits: list[Edit]) -> str | None:
    """Character by character: what is left of a segment, with what begins in it."""
    changed, out = False, ""
    at = segment.start
    while at < segment.end:
        edit = next((e for e in edits if e.start <= at < e.end), None)
        if edit is None:
            out, at = out + text[at], at + 1
            continue
        changed = True
        first = next(s for s in segments if s.end > edit.start and s.start < edit.end)
        out += edit.text if first is segment else ""
        at = min(edit.end, segment.end)
    return out if changed else None


@st.composite
def edits_of(draw, found: View) -> list[Edit]:
    edits = []
    for index, leaf in enumerate(found.leaves):
        cuts = sorted(draw(st.sets(st.integers(0, len(leaf.text)), max_size=4)))
        pairs = zip(cuts[::2], cuts[1::2], strict=False)
        edits += [Edit(index, a, b, draw(st.sampled_from(["", "[X]", "é"]))) for a, b in pairs]
    shuffled: list[Edit] = draw(st.permutations(edits))
    return shuffled
