"""What a step does to any body: forced values hold, defaults never overwrite, removed is gone."""

import copy
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.exchange import Endpoint
from gateway.transformation import pointer
from gateway.transformation.document import answer_headers, provider_headers
from gateway.transformation.fault import UnfitBody
from gateway.transformation.reading import NOTHING, of_canonical, of_plain

CHAT = Endpoint.CHAT
# How quickly examples are drawn says more of the machine than of the code.
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])
NAMES = st.sampled_from(["a", "b", "c", "~", "x/y", "*"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
)
DECLARED = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(NAMES, PLAIN, max_size=3)
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)
MEMBERS = st.lists(st.sampled_from(["a", "b", "c", "~", "x/y"]), min_size=1, max_size=3)
EACHES = st.builds(
    lambda path, last: (*path, last),
    st.lists(st.sampled_from(["a", "b", "*"]), max_size=3),
    st.sampled_from(["a", "b", "c"]),
)


def step(**said):
    (made,) = of_plain([{"endpoints": [CHAT.value], **said}], of_route=False).steps
    return made


def applied(body, known=None, endpoint=CHAT, **said):
    given_body = copy.deepcopy(body)
    made = step(**said).applied(endpoint, body, known or {})
    assert body == given_body  # nothing is changed in place
    return made


def there(node, path):
    """Return all values at a pointer, with `*` for each item."""
    if not path:
        return [node]
    first, rest = path[0], path[1:]
    if isinstance(node, list) and first == "*":
        return [found for item in node for found in there(item, rest)]
    if isinstance(node, dict) and first in node:
        return there(node[first], rest)
    return []


@UNHURRIED
@given(BODIES, MEMBERS, DECLARED)
def test_a_forced_value_holds_and_twice_is_once(body, path, value):
    at = pointer.written(path)
    once = applied(body, force={at: value})
    assert pointer.held(once, tuple(path)) == (True, value)
    assert applied(once, force={at: value}) == once


@UNHURRIED
@given(BODIES, MEMBERS, DECLARED)
def test_a_default_never_overwrites_and_twice_is_once(body, path, value):
    at = pointer.written(path)
    once = applied(body, defaults={at: value})
    is_there, before = pointer.held(body, tuple(path))
    if is_there and before is not None:
        assert once == body
    for name in body.keys() - {path[0]}:
        assert once[name] == body[name]
    if value is not None:
        assert applied(once, defaults={at: value}) == once


@UNHURRIED
@given(BODIES, EACHES)
def test_what_is_removed_is_gone_and_nothing_else(body, path):
    once = applied(body, remove=[pointer.written(path)])
    assert there(once, path) == []
    assert applied(once, remove=[pointer.written(path)]) == once
    if there(body, path) == []:
        assert once is body or once == body


@UNHURRIED
@given(BODIES, EACHES, st.integers(-50, 0), st.integers(0, 50))
def test_clamped_numbers_are_within_and_nothing_else_changes(body, path, low, high):
    once = applied(body, clamp={pointer.written(path): {"min": low, "max": high}})
    for before, after in zip(there(body, path), there(once, path), strict=True):
        if isinstance(before, int) and not isinstance(before, bool):
            assert after == min(max(before, low), high)
        else:
            assert after == before
    assert applied(once, clamp={pointer.written(path): {"min": low, "max": high}}) == once


@UNHURRIED
@given(BODIES, MEMBERS, MEMBERS)
def test_a_renamed_value_moves_whole(body, old, new):
    if pointer.overlap([tuple(old), tuple(new)]) is not None:
        return
    is_there, value = pointer.held(body, tuple(old))
    said = {pointer.written(old): pointer.written(new)}
    if is_there and pointer.held(body, tuple(new))[0]:
        with pytest.raises(UnfitBody, match="another name"):
            applied(body, rename=said)
        return
    once = applied(body, rename=said)
    assert pointer.held(once, tuple(old))[0] is False
    if is_there:
        assert pointer.held(once, tuple(new)) == (True, value)
    else:
        assert once == body


def test_the_order_in_a_step_is_fixed():
    body = applied(
        {"old": 9, "drop": 1, "messages": [{"role": "user", "content": "x"}]},
        {"user": "u"},
        schema={"required": ["new", "user"], "properties": {"new": {"maximum": 5}}},
        inject={"/who": "user"},
        user=True,
        system_prompt="S",
        clamp={"/new": {"max": 5}, "/forced": {"max": 1}},
        force={"/forced": 7, "/set": "forced"},
        defaults={"/set": "default", "/drop": "again"},
        remove=["/drop"],
        rename={"/old": "/new"},
    )
    assert body == {
        "new": 5,
        "drop": "again",
        "set": "forced",
        "forced": 1,
        "user": "u",
        "who": "u",
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "x"}],
    }


def test_null_counts_as_nothing_for_defaults_and_a_text_is_in_the_way():
    assert applied({"a": None}, defaults={"/a": 1}) == {"a": 1}
    assert applied({"a": None}, defaults={"/a/b": 1}) == {"a": {"b": 1}}
    assert applied({"a": "text"}, defaults={"/a/b": 1}) == {"a": "text"}
    assert applied({"a": "text"}, force={"/a/b": 1}) == {"a": {"b": 1}}


def test_clamps_leave_what_is_no_number():
    for value in (True, "7", None, [7], {}):
        assert applied({"a": value}, clamp={"/a": {"max": 1}}) == {"a": value}
    assert applied({"a": 0.5}, clamp={"/a": {"min": 1}}) == {"a": 1}


SYSTEM = {"role": "system", "content": "own"}
USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("endpoint", "body", "before", "after", "instead"),
    [
        (
            CHAT,
            {"messages": [SYSTEM, USER]},
            {"messages": [{"role": "system", "content": "S"}, SYSTEM, USER]},
            {"messages": [SYSTEM, {"role": "system", "content": "S"}, USER]},
            {"messages": [{"role": "system", "content": "S"}, USER]},
        ),
        (
            Endpoint.MESSAGES,
            {"system": "own"},
            {"system": "S\n\nown"},
            {"system": "own\n\nS"},
            {"system": "S"},
        ),
        (
            Endpoint.COUNT_TOKENS,
            {"system": [{"type": "text", "text": "own"}]},
            {"system": [{"type": "text", "text": "S"}, {"type": "text", "text": "own"}]},
            {"system": [{"type": "text", "text": "own"}, {"type": "text", "text": "S"}]},
            {"system": "S"},
        ),
        (
            Endpoint.RESPONSES,
            {"instructions": "own"},
            {"instructions": "S\n\nown"},
            {"instructions": "own\n\nS"},
            {"instructions": "S"},
        ),
    ],
)
def test_a_system_prompt_has_its_place(endpoint, body, before, after, instead):
    for place, expected in (("before", before), ("after", after), ("instead", instead)):
        said = [{"endpoints": [endpoint.value], "system_prompt": {"text": "S", "place": place}}]
        (made,) = of_plain(said, of_route=False).steps
        assert made.applied(endpoint, body, {}) == expected


def test_a_prompt_leaves_a_body_that_the_api_will_refuse():
    assert applied({"messages": "no list"}, system_prompt="S") == {"messages": "no list"}
    said = [{"endpoints": ["responses"], "system_prompt": "S"}]
    (made,) = of_plain(said, of_route=False).steps
    assert made.applied(Endpoint.RESPONSES, {"instructions": 5}, {}) == {"instructions": 5}
    assert made.applied(Endpoint.RESPONSES, {}, {}) == {"instructions": "S"}


def test_what_is_not_known_is_not_injected():
    said = {"user": True, "inject": {"/metadata/team": "tag.team", "/x": "app.tier"}}
    body = {"user": "client's", "metadata": {"team": "client's"}}
    assert applied(body, {"user": "", "app.tier": "gold"}, **said) == {**body, "x": "gold"}
    assert applied(body, {"user": "u", "tag.team": "t"}, **said) == {
        "user": "u",
        "metadata": {"team": "t"},
    }


def test_a_documents_canonical_text_is_one_and_comes_back():
    one = of_plain([{"force": {"/b": 1, "/a": 0.5}, "endpoints": ["responses"]}], of_route=True)
    other = of_plain([{"endpoints": ["responses"], "force": {"/a": 0.5, "/b": 1}}], of_route=True)
    assert one.canonical == other.canonical
    assert re.fullmatch(r"[0-9a-f]{16}", one.hash)
    assert of_canonical(one.canonical, of_route=True).canonical == one.canonical
    assert one.hash != of_plain([{"endpoints": ["responses"]}], of_route=True).hash
    assert of_canonical("", of_route=True) is NOTHING
    assert NOTHING.canonical == ""


def test_steps_are_chosen_by_endpoint_and_of_equal_headers_the_last_holds():
    said = [
        {
            "endpoints": ["responses", "messages"],
            "headers": {"provider": {"x-a": "1", "x-b": "1"}, "answer": {"x-c": "1"}},
        },
        {"endpoints": ["responses"], "headers": {"provider": {"x-a": "2"}}},
    ]
    made = of_plain(said, of_route=False)
    assert [len(made.at(each)) for each in (Endpoint.RESPONSES, Endpoint.MESSAGES, CHAT)] == [
        2,
        1,
        0,
    ]
    assert provider_headers(made.at(Endpoint.RESPONSES)) == {"x-a": "2", "x-b": "1"}
    assert answer_headers(made.at(Endpoint.RESPONSES)) == {"x-c": "1"}
