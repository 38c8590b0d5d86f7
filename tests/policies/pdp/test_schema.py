"""The schema for editors is that of the language: what it refuses the language refuses too."""

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from policies.pdp.effects import EFFECTS
from policies.pdp.language import parse_document
from policies.pdp.problem import PolicyError
from policies.pdp.request import FACTS
from policies.pdp.rules import KEYS
from policies.pdp.schema import policy_schema
from tests.policies.pdp.random_documents import random_text

FILE = Path(__file__).parents[3] / "docs" / "policy.schema.json"
VALIDATOR = Draft202012Validator(policy_schema())


def test_the_file_for_editors_is_what_the_code_says():
    """`python manage.py policy schema > docs/policy.schema.json` writes it anew."""
    assert json.loads(FILE.read_text()) == policy_schema()


def test_the_schema_is_one():
    Draft202012Validator.check_schema(policy_schema())


def test_every_key_of_a_rule_and_every_fact_is_in_it():
    schema = policy_schema()
    assert set(schema["$defs"]["rule"]["properties"]) == set(KEYS)
    assert set(schema["$defs"]["test"]["properties"]["given"]["properties"]) == set(FACTS)
    assert all(schema["$defs"]["rule"]["properties"][effect] for effect in EFFECTS)


@given(st.integers(0, 2**32))
def test_what_the_language_takes_the_schema_takes(seed):
    text = random_text(Random(seed))
    parse_document(text)
    assert list(VALIDATOR.iter_errors(json.loads(text))) == []


RULE = {"id": "a", "when": "true"}


@pytest.mark.parametrize(
    "rule",
    [
        {**RULE},
        {"when": "true", "risk": 1},
        {**RULE, "risk": 0},
        {**RULE, "permit": False},
        {**RULE, "cap": {}},
        {**RULE, "cap": {"n": 0}},
        {**RULE, "cap": {"tokens": 5}},
        {**RULE, "redact": {"kinds": []}},
        {**RULE, "redact": {"kinds": ["email"]}},
        {**RULE, "sanitise": ["bidis"]},
        {**RULE, "allow_tools": []},
        {**RULE, "set_default": {"seed": 1}},
        {**RULE, "tag": {"a": 5}},
        {**RULE, "notify": "x"},
        {**RULE, "require": {}},
        {**RULE, "deny": {}},
        {**RULE, "denny": {"message": "x"}, "risk": 1},
    ],
)
def test_what_the_schema_refuses_the_language_refuses(rule):
    document = {"policy": "p", "rules": [rule]}
    assert list(VALIDATOR.iter_errors(document))
    with pytest.raises(PolicyError):
        parse_document(json.dumps(document))
