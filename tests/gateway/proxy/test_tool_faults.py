"""Calls of tools held against what was offered: every dialect, every fault, within bounds."""

import json
from random import Random

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from gateway.exchange import Endpoint
from gateway.providers.tooling import Called, arguments, called, offered
from gateway.proxy.tool_faults import BYTES_MAX, faults
from gateway.transformation.schema import foreign

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def fault(given, wanted=CITY, name="weather"):
    return faults([Called(name, given)], {"weather": wanted})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ('{"city": "Rome"}', set()),
        ({"city": "Rome"}, set()),
        ("", {"arguments"}),
        ('{"city": 7}', {"arguments"}),
        ("{}", {"arguments"}),
        ('{"city": "Rome"', {"unparsed"}),
        ('["Rome"]', {"unparsed"}),
        ('{"city": "Rome", "city": "Bonn"}', {"unparsed"}),
        ('{"city": NaN}', {"unparsed"}),
        ([1], {"unparsed"}),
        (json.dumps({"city": "x" * BYTES_MAX}), {"unchecked"}),
    ],
)
def test_each_fault_of_arguments(given, found):
    assert fault(given) == found


def test_a_tool_that_nobody_offered_is_just_that():
    assert fault("no JSON", name="delete") == {"unoffered"}
    assert faults([Called("weather", None), Called("delete", None)], {"weather": None}) == {
        "unoffered"
    }
    assert fault("{}", None) == set()
    assert fault("[]", None) == {"unparsed"}
    assert fault("{}", {}) == set()
    assert faults([], {}) == set()


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "https://evil.example/schema.json"},
        {"$ref": "other.json"},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"items": {"$ref": "#"}}}},
        {"$id": "https://evil.example/", "type": "object"},
        {"$defs": {"a": {"$anchor": "x"}}},
        {"x": {"y": {"$schema": DRAFT_7}}},
        {"type": "nothing"},
        {"properties": {"a": {"pattern": "(?=x)"}}},
        {"properties": {str(at): {"pattern": "a"} for at in range(9)}},
        {"description": "x" * 33_000},
        {"properties": {str(at): {"type": "string"} for at in range(2_001)}},
        {"allOf": [{"$ref": "#/$defs/0"}],
         "$defs": {str(at): {"allOf": [{"$ref": f"#/$defs/{at + 1}"}] * 2} for at in range(20)}
         | {"20": {}}},
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_is_told(schema):
    assert foreign(schema) is None
    assert fault("{}", schema) == {"unchecked"}


@pytest.mark.parametrize(
    "schema",
    [
        {**CITY, "$schema": DRAFT_7, "additionalProperties": False},
        {"definitions": {"c": CITY}, "$ref": "#/definitions/c"},
        {**CITY, "strict": True, "x-ours": [1], "nullable": False},
        {**CITY, "properties": {"city": {"pattern": "^R"}}},
    ],
)
def test_what_sdks_write_can_be_used(schema):
    assert fault('{"city": "Rome"}', schema) == set()
    assert fault("{}", schema) == {"arguments"}


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_another_validator_says(seed):
    rng = Random(seed)
    kinds = ["string", "integer", "boolean", "array"]
    names = ["a", "b", "c"]
    schema = {
        "type": "object",
        "properties": {name: {"type": rng.choice(kinds)} for name in names[: rng.randint(0, 3)]},
        "required": rng.sample(names, rng.randint(0, 2)),
        "additionalProperties": rng.random() < 0.5,
    }
    given = {name: rng.choice(["x", 1, True, [], 1.5]) for name in rng.sample(names, 2)}
    fits = Draft202012Validator(schema).is_valid(given)
    assert fault(json.dumps(given), schema) == (set() if fits else {"arguments"})


def test_every_dialect_of_clients_is_read():
    function = {"name": "f", "parameters": CITY}
    chat = {
        "tools": [
            {"type": "function", "function": function},
            {"type": "custom", "custom": {"name": "g"}},
            {"type": "web_search"},
        ],
        "functions": [{"name": "old"}],
    }
    assert offered(Endpoint.CHAT, chat) == {"f": CITY, "g": None, "web_search": None, "old": None}
    calls = [
        {"function": {"name": "f", "arguments": "{}"}},
        {"custom": {"name": "g", "input": "free text"}},
    ]
    message = {"tool_calls": calls, "function_call": {"name": "old"}}
    assert called(Endpoint.CHAT, {"choices": [{"message": message}, {"message": None}]}) == [
        Called("f", "{}"),
        Called("g", None),
        Called("old", {}),
    ]
    tools = [{"type": "function", **function}, {"type": "custom", "name": "g"}, {"type": "mcp"}]
    assert offered(Endpoint.RESPONSES, {"tools": tools}) == {"f": CITY, "g": None, "mcp": None}
    output = [
        {"type": "message", "content": []},
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "name": "g", "input": "x"},
        {"type": "web_search_call"},
    ]
    found = called(Endpoint.RESPONSES, {"output": output})
    assert found == [Called("f", "{}"), Called("g", None)]
    tools = [{"name": "f", "input_schema": CITY}, {"type": "bash_20250124", "name": "bash"}]
    assert offered(Endpoint.MESSAGES, {"tools": tools}) == {"f": CITY, "bash": None}
    content = [
        {"type": "text", "text": "x"},
        {"type": "tool_use", "name": "f", "input": [1]},
        {"type": "tool_use", "name": "bash"},
        {"type": "server_tool_use", "name": "web_search", "input": {}},
    ]
    assert called(Endpoint.MESSAGES, {"content": content}) == [
        Called("f", [1]),
        Called("bash", {}),
    ]
    assert (offered(Endpoint.COMPLETIONS, {}), called(Endpoint.COMPLETIONS, {})) == ({}, [])


def test_no_arguments_are_an_empty_object():
    assert arguments(" ") == {}
    assert arguments(7) is None


def test_references_that_lead_round_outside_of_keywords_are_no_schema():
    round_about = {"$ref": "#/x/a", "x": {"a": {"$ref": "#/x/b"}, "b": {"$ref": "#/x/b"}}}
    assert foreign(round_about) is None
