"""Schemas stand alone, end, and tell every fault."""

import time

import pytest

from gateway.transformation.fault import FAULTS_MAX, Fault, UnfitTransformation
from gateway.transformation.reading import of_plain
from gateway.transformation.schema import Schema


def read(schema):
    (step,) = of_plain([{"endpoints": ["embeddings"], "schema": schema}], of_route=True).steps
    return step.schema


DOUBLING = {
    "$defs": {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(20)
    }
    | {"d20": {"type": "object"}},
    "$ref": "#/$defs/d0",
}


@pytest.mark.parametrize(
    ("schema", "path", "why"),
    [
        ({"type": "objct"}, "/type", "no JSON schema"),
        ({"tpye": "object"}, "/tpye", 'did you mean "type"?'),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "/properties/a/pattern", "regex"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "/properties/a/pattern", "regex"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "/properties/a/$ref", "no other"),
        ({"$ref": "other.json"}, "/$ref", "no other document"),
        ({"$ref": "#"}, "/$ref", "no other document"),
        ({"$ref": "#/$defs/a%20b", "$defs": {"a%20b": True}}, "/$ref", "no other document"),
        ({"$ref": "#/$defs/a"}, "/$ref", "there is nothing at"),
        ({"$id": "https://a.example"}, "/$id", "stands alone"),
        ({"$dynamicRef": "#a"}, "/$dynamicRef", "stands alone"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref", "refer to itself"),
        (
            {"properties": {"a": {"items": {"$ref": "#/properties/a"}}}},
            "/properties/a/items/$ref",
            "refer to itself",
        ),
        (DOUBLING, "", "more than 2000 parts"),
        ({"anyOf": [{"$ref": "#/$defs/a"}] * 51, "$defs": {"a": True}}, "", "50 references"),
        ({"description": "x" * 33_000}, "", "at most 32768 bytes"),
        (True, "", "keys with values"),
    ],
)
def test_a_schema_that_is_none_or_does_not_end_is_refused_at_its_place(schema, path, why):
    with pytest.raises(UnfitTransformation) as error:
        read(schema)
    (fault,) = error.value.faults
    assert fault.path == f"/0/schema{path}"
    assert why in fault.message


def test_what_is_data_is_no_schema():
    schema = {"const": {"$ref": "http://a"}, "default": {"tpye": 1}, "x-note": {"$id": 1}}
    assert read(schema).faults({"$ref": "http://a"}) == []
    assert read({"properties": {"$ref": {"type": "string"}}}).faults({"$ref": "x"}) == []


def test_parts_are_referred_to_and_every_fault_is_told_in_order():
    schema = read(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"b": {"$ref": "#/$defs/text"}, "a/b": {"items": {"minimum": 5}}},
            "required": ["c"],
            "$defs": {"text": {"type": "string"}},
        }
    )
    assert schema.faults({"b": 1, "a/b": [9, 1, 2]}) == [
        Fault("", '"c" is a required property'),
        Fault("/a~1b/1", "the value is less than the minimum of 5"),
        Fault("/a~1b/2", "the value is less than the minimum of 5"),
        Fault("/b", 'the value is not of type "string"'),
    ]
    assert schema.faults({"c": 1}) == []


def test_no_fault_repeats_what_a_client_said():
    (fault,) = Schema({"properties": {"a": {"maxLength": 3}}}).faults({"a": "a secret"})
    assert "secret" not in fault.message


def test_patterns_cannot_hang():
    schema = read({"properties": {"a": {"pattern": "^(a+)+$"}}})
    began = time.process_time()
    assert schema.faults({"a": "a" * 50_000 + "b"})
    assert time.process_time() - began < 1


def test_faults_are_bounded_in_number_and_in_work():
    schema = read({"properties": {"input": {"items": {"type": "string"}}}})
    assert len(schema.faults({"input": list(range(1_000))})) == FAULTS_MAX
    began = time.process_time()
    assert schema.faults({"input": list(range(200_000))}) == [
        Fault("/input/0", 'the value is not of type "string"')
    ]
    assert time.process_time() - began < 1
