"""The moderations API: what is lifted and refused, what is inspected, what is answered."""

import json

import orjson
import pytest
from openai.types import ModerationCreateResponse, moderation_create_params

from gateway.exchange import Body, Endpoint
from gateway.providers import moderations
from gateway.providers.dialect import Passing, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import fields
from gateway.providers.openai.leaves import answer_view, view
from tests.gateway.providers.anthropic.test_fields import hints
from tests.gateway.providers.openai.bodies import planted, strings
from tests.gateway.providers.openai.test_leaves import CANARY, containing, without
from tests.mock_texts import moderation

NATIVE = moderations.ModerationsNative()
PARTS: Body = {
    "model": "m",
    "input": [
        {"type": "text", "text": "one "},
        {"type": "text", "text": "two"},
        {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
    ],
    "strange": "field",
}
TEXTS: Body = {"model": "m", "input": ["one", "two"]}
ANSWER = moderation("m", 2)


def ask(**given):
    return moderations.parse(Endpoint.MODERATIONS, {"model": "m", "input": "hi", **given}, 100)


def test_what_is_lifted():
    call = moderations.parse(Endpoint.MODERATIONS, PARTS, 50)
    assert (call.endpoint, call.model, call.size, call.roles) == ("moderations", "m", 50, ("user",))
    assert (call.unknown_fields, call.priced_fields) == (("strange",), ())
    assert call.view.uninspected == ("image",)
    assert ask().unknown_fields == ask(input=["one"]).unknown_fields == ()
    part = {"type": "text", "text": "x", "odd": 1}
    assert ask(input=[part]).unknown_fields == ("input.odd",)


def test_case_15_each_field_of_a_body_is_listed():
    declared = hints(moderation_create_params.ModerationCreateParams)
    assert fields.unknown(dict.fromkeys(declared), Endpoint.MODERATIONS) == ()


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"input": ["x", {"type": "text", "text": "y"}]}, "input[0]"),
        ({"input": [{"text": "y"}]}, "input[0].type"),
        ({"input": [{"type": "text"}]}, "input[0].text"),
        ({"input": [1]}, "input[0]"),
    ],
)
def test_what_is_wrong_is_named(given, param):
    with pytest.raises(BadRequest) as caught:
        ask(**given)
    assert caught.value.param == param


@pytest.mark.parametrize("body", [PARTS, TEXTS, {"model": "m", "input": "one"}])
def test_canary_in_every_json_leaf_of_a_request(body):
    for path, _ in strings(body):
        if path != ("model",):
            changed = planted(body, path, CANARY)
            found = view(changed, Endpoint.MODERATIONS)
            assert containing(found, CANARY)
            assert CANARY not in json.dumps(without(changed, found, CANARY))


def test_canary_in_every_json_leaf_of_an_answer():
    for path, _ in strings(ANSWER):
        changed = planted(ANSWER, path, CANARY)
        assert CANARY not in json.dumps(without(changed, answer_view(changed), CANARY))


def test_texts_that_follow_each_other_are_one_leaf_only_where_they_are_parts():
    found = view(PARTS, Endpoint.MODERATIONS)
    assert ("user", "one two") in [(leaf.role, leaf.text) for leaf in found.leaves]
    assert [leaf.text for leaf in view(TEXTS, Endpoint.MODERATIONS).leaves] == ["one", "two"]


def test_what_is_sent_is_what_was_judged():
    call = moderations.parse(Endpoint.MODERATIONS, PARTS, 50)
    sent = NATIVE.outgoing(call, PARTS, Target("real", "http://h/v1", 9, stream=False))
    assert sent.body == {**PARTS, "model": "real"}


def test_an_answer_tells_no_usage():
    ModerationCreateResponse.model_validate(ANSWER)
    found = NATIVE.answer(orjson.dumps(ANSWER), viewed=True, created_s=1)
    assert (found.body, found.usage, found.finish) == (ANSWER, None, "")
    assert [leaf.text for leaf in found.view.leaves] == ["id: modr-mock\nmodel: m"] or found.view


@pytest.mark.parametrize("raw", [b"no", b"[]", b"{}", b'{"results": {}}', b'{"error": {}}'])
def test_what_is_no_answer(raw):
    with pytest.raises(BadAnswer):
        NATIVE.answer(raw, viewed=True, created_s=1)


def test_nothing_is_streamed():
    answer = NATIVE.answer(orjson.dumps(ANSWER), viewed=False, created_s=1)
    with pytest.raises(BadAnswer):
        NATIVE.stream(Passing(collect=False, limit=1, keep_usage=False, created_s=1))
    with pytest.raises(BadAnswer):
        NATIVE.render(answer, keep_usage=False)
