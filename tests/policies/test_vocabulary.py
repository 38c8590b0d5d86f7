"""What a text names must be there: a misspelt name would never match."""

import pytest

from policies.pdp.analysis.names import KnownNames, unknown_names
from policies.pdp.language import parse_document
from policies.vocabulary import known_kinds

NAMES = KnownNames(
    models=frozenset({"small", "large"}),
    kinds=known_kinds(),
    tenants=frozenset({"acme"}),
    apps=frozenset({"helpdesk"}),
    services=frozenset({"vectors"}),
)


def told(rule):
    text = f"policy: p\ndefault: permit\nrules:\n  - {{id: r, {rule}}}\n"
    return list(unknown_names(parse_document(text), NAMES))


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
        "when: 'app.name == \"helpdesk\"', permit: true",
        "when: 'call.service == \"vectors\"', permit: true",
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
        ("when: 'tenant.name == \"acne\"', permit: true", 'no tenant "acne"', "acme"),
        ("when: 'app.name == \"helpdeks\"', permit: true", 'no app "helpdeks"', "helpdesk"),
        ("when: 'call.service == \"vector\"', permit: true", 'no service "vector"', "vectors"),
        ("when: '\"IBAN\" in pii.kinds', permit: true", 'there is no kind "IBAN"', ""),
        (
            "when: '\"aws_acess_key\" in secret.kinds', permit: true",
            'there is no kind "aws_acess_key"',
            "aws_access_key",
        ),
    ],
)
def test_what_is_not_there_is_told_with_what_is_nearest(rule, message, hint):
    (problem,) = told(rule)
    assert problem.line == 4
    assert message in problem.message
    assert problem.message.endswith(" (rule r)")
    assert hint in problem.hint


def test_kinds_are_those_of_every_detector():
    assert {"EMAIL_ADDRESS", "PHONE_NUMBER", "DE_TAX_ID", "openai_key"} <= known_kinds()
