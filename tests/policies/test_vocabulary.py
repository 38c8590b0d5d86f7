"""What a text names must be there: a misspelt name would never match."""

import pytest

from policies.pdp.language import parse_document
from policies.vocabulary import Names, known_kinds, unknown

NAMES = Names(frozenset({"small", "large"}), frozenset({"acme"}))


def told(rule):
    text = f"policy: p\ndefault: permit\nrules:\n  - {{id: r, {rule}}}\n"
    return unknown(parse_document(text), NAMES)


@pytest.mark.parametrize(
    "rule",
    [
        "when: true, route: small",
        "when: true, allow_models: [small, large]",
        "when: 'model.asked == \"small\"', permit: true",
        'when: \'model.routed in ["small", "large"]\', permit: true',
        "when: 'tenant.name != \"acme\"', permit: true",
        "when: '\"PHONE_NUMBER\" in pii.kinds', permit: true",
        "when: '\"aws_access_key\" in secret.kinds', permit: true",
        "when: 'model.asked.startsWith(\"smal\")', permit: true",
        "when: 'app.name == \"whatever\"', permit: true",
    ],
)
def test_what_is_there_may_be_named(rule):
    assert told(rule) == []


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        ("when: true, route: smal", 'there is no model "smal"', "small"),
        ("when: true, allow_models: [large, lrage]", 'there is no model "lrage"', "large"),
        ("when: '\"smal\" == model.asked', permit: true", 'there is no model "smal"', "small"),
        ('when: \'model.routed in ["large", "x"]\', permit: true', 'no model "x"', ""),
        ("when: 'tenant.name == \"acne\"', permit: true", 'called "acne"', "acme"),
        ("when: '\"IBAN\" in pii.kinds', permit: true", 'no detector finds "IBAN"', ""),
        (
            "when: '\"aws_acess_key\" in secret.kinds', permit: true",
            'no detector finds "aws_acess_key"',
            "aws_access_key",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is_nearest(rule, message, hint):
    (problem,) = told(rule)
    assert problem.line == 4
    assert message in problem.message
    assert problem.message.startswith("the rule r: ")
    assert hint in problem.hint


def test_kinds_are_those_of_every_detector():
    assert {"EMAIL_ADDRESS", "PHONE_NUMBER", "DE_TAX_ID", "openai_key"} <= known_kinds()
