"""Simplified formats: what they become, and that neither expression nor body runs away."""

import json
import time

import pytest

from gateway.exchange import Endpoint
from gateway.transformation import mapping
from gateway.transformation.fault import UnfitBody, UnfitTransformation
from gateway.transformation.reading import of_plain


def made(to, endpoint=Endpoint.CHAT, *, of_route=False, **said):
    mapped = {"format": {"type": "object"}, "to": to, **said}
    steps = of_plain([{"endpoints": [endpoint.value], "mapping": mapped}], of_route=of_route).steps
    return steps[0].mapping


def test_fields_are_made_kept_and_left_out():
    format_ = made({"messages": "[{role: 'user', content: q}]", "user": "who"})
    body = {"q": "Hi", "model": "m", "stream": True, "other": 1}
    assert format_.applied(Endpoint.CHAT, body) == {
        "model": "m",
        "stream": True,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    assert made({"input": "q"}, keep=["other"]).applied(Endpoint.CHAT, body) == {
        "input": "Hi",
        "other": 1,
    }


def test_the_mapping_of_a_model_keeps_the_name_that_it_was_found_by():
    body = {"model": "m", "q": "x"}
    assert made({"input": "q"}, of_route=True, keep=[]).applied(Endpoint.CHAT, body) == {
        "model": "m",
        "input": "x",
    }
    with pytest.raises(UnfitTransformation, match="cannot change"):
        made({"model": "q"}, of_route=True)


@pytest.mark.parametrize(
    ("endpoint", "content"),
    [
        (Endpoint.CHAT, "messages"),
        (Endpoint.MESSAGES, "messages"),
        (Endpoint.COMPLETIONS, "prompt"),
        (Endpoint.RESPONSES, "input"),
        (Endpoint.EMBEDDINGS, "input"),
    ],
)
def test_an_optional_format_leaves_bodies_of_the_api(endpoint, content):
    optional = made({content: "q"}, endpoint, optional=True)
    assert optional.applied(endpoint, {content: "own"}) == {content: "own"}
    assert optional.applied(endpoint, {"q": "x"}) == {content: "x"}


def test_what_cannot_be_made_names_its_field():
    for expression, body in (("length(q)", {"q": 5}), ("join(',', q)", {"q": [1]})):
        with pytest.raises(UnfitBody, match="the field input cannot be made"):
            made({"input": expression}).applied(Endpoint.CHAT, body)


def test_what_is_made_is_json_of_its_own():
    found = made({"input": "to_number(q)"}).applied(Endpoint.CHAT, {"q": "nan"})
    assert json.loads(json.dumps(found)) == found == {}
    shared = made({"a": "q", "b": "q"}).applied(Endpoint.CHAT, {"q": [1]})
    assert shared["a"] is not shared["b"]


def test_a_large_body_is_refused():
    with pytest.raises(UnfitBody, match="at most 65536 bytes"):
        made({"input": "q"}).applied(Endpoint.CHAT, {"q": "x" * 70_000})


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("[[[", "no JMESPath expression"),
        ("a..b", "no JMESPath expression"),
        ("(" * 900, "no JMESPath expression"),
        ("nothing(a)", 'no function "nothing"'),
        ("length(a, b)", "takes 1 arguments, here it has 2"),
        ("join(a, b)", "is written here"),
        ("|".join(["[@, @]"] * 30), "more than 64 times"),
        ("[a" + ", a" * 90 + "]", "more than 64 times"),
        ("!" * 50 + "a", "nested more than"),
        ("x" * 1001, "longer than 1000"),
    ],
)
def test_what_may_run_away_is_refused_when_it_is_declared(expression, why):
    with pytest.raises(UnfitTransformation) as error:
        made({"input": expression})
    assert why in str(error.value)
    assert error.value.faults[0].path.startswith("/0/mapping/to")


def test_growth_is_an_upper_bound():
    def grown(text):
        return mapping.growth(made({"x": text}).to[0][1])

    assert grown("a.b[*].c") == 1
    assert grown("[a, b, c]") == 3
    assert grown("[@, @] | [@, @]") == 4
    assert grown("a[?b == c].{d: @, e: @}") == 4
    assert grown("`[1]`") == 1


def test_no_body_keeps_a_worker_busy():
    slow = made({"input": "q" + "[*].[@][]" * 6})
    began = time.process_time()
    with pytest.raises(UnfitBody, match="cannot be made"):
        slow.applied(Endpoint.CHAT, {"q": [1] * 15_000})
    assert time.process_time() - began < 1


def test_what_is_made_is_bounded_in_size():
    literal = "x" * 900
    long = made({"input": f"q[*].[@, '{literal}']"})
    with pytest.raises(UnfitBody, match="cannot be made"):
        long.applied(Endpoint.CHAT, {"q": [1] * 1_000})
    assert len(long.applied(Endpoint.CHAT, {"q": [1] * 200})["input"]) == 200
