"""What a text names must be there: a misspelt name would never match."""

import pytest
from django.core.exceptions import ValidationError

from audit.actor import Actor
from policies.pdp.analysis.names import KnownNames, unknown_names
from policies.pdp.language import parse_document
from policies.vocabulary import known_kinds, names_for
from tenants.services.tenants import tenant_create

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


def test_names_are_kinds_once_a_tenant_that_the_author_sees_asks_for_them(db, unique):
    actor = Actor(kind="command", id="tests", name="tests")
    text = "policy: p\ndefault: permit\nrules:\n  - {id: r, when: true, redact: {kinds: [NRP]}}\n"
    document = parse_document(text, known_kinds())
    (problem,) = unknown_names(document, KnownNames(kinds=names_for(actor).kinds - {"NRP"}))
    assert (problem.line, problem.hint) == (
        4,
        "no tenant asks for it yet: pii: {entities: [NRP]} has a model find it",
    )
    tenant_create(actor=actor, name=unique("tenant"), pii_entities=["NRP"])
    assert unknown_names(document, names_for(actor)) == ()
    with pytest.raises(ValidationError, match="NAMES"):
        tenant_create(actor=actor, name=unique("tenant"), pii_entities=["NAMES"])
