"""Transformations that are wrong: each fault at its place, all of them at once."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.transformation.fault import UnfitBody, UnfitTransformation
from gateway.transformation.headers import name_fault, value_fault
from gateway.transformation.reading import ENDPOINTS, KEYS, of_canonical, of_plain, reader
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import read_yaml

CHAT = {"endpoints": ["chat.completions"]}
# How quickly examples are drawn says more of the machine than of the code.
UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow])


def faults(value, *, of_route=False):
    with pytest.raises(UnfitTransformation) as error:
        of_plain(value, of_route=of_route)
    return [(fault.path, fault.message) for fault in error.value.faults]


WRONG = {
    "no list": ({}, "", "expected a list"),
    "no step": ([3], "/0", "keys with values"),
    "no endpoints": ([{"force": {"/a": 1}}], "/0", "needs the key endpoints"),
    "none at all": ([{"endpoints": []}], "/0/endpoints", "at least one endpoint"),
    "a form": ([{"endpoints": ["audio.transcriptions"]}], "/0/endpoints/0", "expected one of"),
    "a typo": ([{**CHAT, "defualts": {}}], "/0", 'did you mean "defaults"?'),
    "no pointer": ([{**CHAT, "remove": ["a"]}], "/0/remove/0", "begins with /"),
    "a bare tilde": ([{**CHAT, "remove": ["/a~b"]}], "/0/remove/0", "~ is written ~0"),
    "the whole": ([{**CHAT, "remove": ["/"]}], "/0/remove/0", "name of a member"),
    "an index": ([{**CHAT, "remove": ["/a/0/b"]}], "/0/remove/0", "name of a member"),
    "each at the end": ([{**CHAT, "remove": ["/a/*"]}], "/0/remove/0", "ends in the name"),
    "too many steps down": ([{**CHAT, "remove": ["/a" * 17]}], "/0/remove/0", "at most 16"),
    "each in what is set": ([{**CHAT, "force": {"/a/*/b": 1}}], "/0/force/~1a~1*~1b", "no *"),
    "inside another": ([{**CHAT, "force": {"/a": {}, "/a/b": 1}}], "/0/force", "order would"),
    "renamed in a ring": (
        [{**CHAT, "rename": {"/a": "/b", "/b": "/a"}}],
        "/0/rename",
        "order would",
    ),
    "an empty clamp": ([{**CHAT, "clamp": {"/a": {}}}], "/0/clamp/~1a", "needs min or max"),
    "a clamp upside down": (
        [{**CHAT, "clamp": {"/a": {"min": 2, "max": 1}}}],
        "/0/clamp/~1a",
        "min 2 is above max 1",
    ),
    "a clamp of texts": ([{**CHAT, "clamp": {"/a": {"max": "1"}}}], "/0/clamp/~1a/max", "a number"),
    "a prompt nowhere": (
        [{"endpoints": ["embeddings", "responses"], "system_prompt": "x"}],
        "/0/system_prompt",
        "requests of embeddings have no place",
    ),
    "an empty prompt": ([{**CHAT, "system_prompt": " "}], "/0/system_prompt", "empty"),
    "a place that is none": (
        [{**CHAT, "system_prompt": {"text": "x", "place": "behind"}}],
        "/0/system_prompt/place",
        "expected one of before",
    ),
    "a user nowhere": (
        [{"endpoints": ["moderations"], "user": True}],
        "/0/user",
        "moderations have no place",
    ),
    "no user": ([{**CHAT, "user": False}], "/0/user", "only true"),
    "nothing known": (
        [{**CHAT, "inject": {"/a": "password"}}],
        "/0/inject/~1a",
        "nothing is known",
    ),
    "a header of ours": (
        [{**CHAT, "headers": {"provider": {"x-request-id": "1"}}}],
        "/0/headers/provider/x-request-id",
        "gateway's own",
    ),
    "a line in a header": (
        [{**CHAT, "headers": {"answer": {"x-a": "1\r\nset-cookie: a"}}}],
        "/0/headers/answer/x-a",
        "printable ASCII",
    ),
    "events without a type": (
        [{**CHAT, "answer": {"remove_from_events": ["/type"]}}],
        "/0/answer/remove_from_events",
        "without /type",
    ),
    "a mapping to nothing": (
        [{**CHAT, "mapping": {"format": {}}}],
        "/0/mapping",
        "needs the key to",
    ),
    "a long number": ([{**CHAT, "force": {"/a": 2**63}}], "/0/force/~1a", "64 bits"),
    "no number": ([{**CHAT, "force": {"/a": float("nan")}}], "/0/force/~1a", "no such number"),
    "too deep": (
        [{**CHAT, "force": {"/a": [[[[[[[[[[1]]]]]]]]]]}}],
        "/0/force/~1a" + "/0" * 9,
        "nested more than 11",
    ),
    "too many": ([CHAT] * 11, "/10", "more than 10 items"),
    "too large": (
        [{**CHAT, "force": {"/a": ["x" * 70_000]}}],
        "",
        "at most 65536 bytes",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_at_its_pointer(name):
    value, path, message = WRONG[name]
    (found,) = faults(value)
    assert found[0] == path
    assert message in found[1]


def test_no_text_may_be_one_that_cannot_be_stored():
    assert "U+0000" in faults([{**CHAT, "system_prompt": "a\0"}])[0][1]


def test_every_fault_is_told_at_once():
    wrong = {**CHAT, "remove": ["a", "b"], "force": {"c": 1, "d": 1}, "user": 1, "x": 1}
    assert [path for path, _ in faults([wrong, 5])] == [
        "/0",
        "/0/remove/0",
        "/0/remove/1",
        "/0/force/c",
        "/0/force/d",
        "/0/user",
        "/1",
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"force": {"/model": "m"}},
        {"defaults": {"/model": "m"}},
        {"remove": ["/model"]},
        {"rename": {"/model": "/m"}},
        {"rename": {"/m": "/model"}},
        {"inject": {"/model": "app.tier"}},
    ],
)
def test_only_an_app_may_change_the_model(said):
    assert of_plain([{**CHAT, **said}], of_route=False).steps
    ((path, message),) = faults([{**CHAT, **said}], of_route=True)
    assert path.startswith("/0/")
    assert "cannot change /model" in message


def test_a_text_has_lines_and_columns():
    text = "- endpoints: [chat.completions]\n  force: {/a: 1, b: 2}\n  clamp:\n    /x: {max: y}\n"
    with pytest.raises(PolicyError) as error:
        reader(of_route=False)(read_yaml(text))
    assert [(one.line, one.column) for one in error.value.problems] == [(2, 18), (4, 15)]


def test_an_expression_is_faulted_where_it_breaks():
    text = (
        "- endpoints: [chat.completions]\n  mapping:\n    format: {}\n    to:\n"
        "      messages: \"[{role: 'user', content a}]\"\n"
    )
    with pytest.raises(PolicyError) as error:
        reader(of_route=False)(read_yaml(text))
    assert error.value.line == 5
    assert error.value.column > len("      messages: ")


def test_every_endpoint_with_a_json_body_can_be_named():
    assert of_plain([{"endpoints": [each.value for each in ENDPOINTS]}], of_route=False).steps


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "host", "connection", "content-length", "transfer-encoding", "cookie",
        "proxy-authorization", "te", "upgrade", "x-api-key", "x-auth-token", "x-secret",
        "x-forwarded-for", "x-amz-date", "x-goog-api-key", "x-gatehouse-user", "x-request-id",
        "X-Team", "x-", "x--a", "x-a b", "x-session-id", "anthropic-beta", "traceparent",
        "x-http-method-override", "x-stainless-lang", "content-type", "accept-encoding",
    ],
)  # fmt: skip
def test_headers_that_nobody_may_declare(name):
    assert name_fault(name, to_provider=True)
    assert name_fault(name, to_provider=False)


def test_headers_that_may_be_declared():
    for name in ("x-team", "x-title", "http-referer", "openai-project"):
        assert name_fault(name, to_provider=True) == ""
    for name in ("x-notice", "deprecation", "link"):
        assert name_fault(name, to_provider=False) == ""
    assert name_fault("deprecation", to_provider=True)
    assert value_fault("a b") == ""
    for value in ("", " a", "a ", "ä", "a\tb", "x" * 201, "Bearer sk-proj-" + "aB3" * 20):
        assert value_fault(value)


WORDS = st.sampled_from(
    [
        *KEYS, "format", "to", "keep", "min", "max", "text", "place", "provider", "answer", "/a",
        "/a/b", "/a/*/b", "x-a", "properties", "items", "$ref", "#/items", "$defs", "type",
        "object", "chat.completions", "embeddings", "user", "a.b", "", "\u2028",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
STEPLIKE = st.fixed_dictionaries(
    {"endpoints": st.lists(st.sampled_from(list(ENDPOINTS)).map(str), max_size=2)},
    optional={key: ANYTHING for key in KEYS if key != "endpoints"},
)


@UNHURRIED
@given(st.lists(STEPLIKE | ANYTHING, max_size=2) | ANYTHING, st.booleans())
def test_whatever_is_declared_is_read_or_told_what_is_wrong(value, of_route):
    try:
        made = of_plain(value, of_route=of_route)
    except UnfitTransformation as error:
        told = [fault.message for fault in error.faults]
    else:
        told = ["nothing"]
        assert of_canonical(made.canonical, of_route=of_route).hash == made.hash
        for step in made.steps:
            for endpoint in step.endpoints:
                with contextlib.suppress(UnfitBody):
                    step.applied(endpoint, {"model": "m", "messages": []}, {"user": "u"})
    assert all(told)
