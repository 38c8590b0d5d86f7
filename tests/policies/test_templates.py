"""The texts that come with the product are sound, and do what their tests say."""

import pytest

from policies.pdp.analysis.names import KnownNames, unknown_names
from policies.pdp.language import parse_document
from policies.pdp.testing import run_cases
from policies.templates import templates
from policies.vocabulary import known_kinds

NONE = frozenset[str]()
NOTHING = KnownNames(NONE, known_kinds(), tenants=NONE, apps=NONE, services=NONE)


def test_the_starter_set_is_there():
    assert list(templates()) == [
        "budget-saver",
        "eu-only-models",
        "injection-aware",
        "no-secrets",
        "pii-careful",
        "tools-allow-list",
    ]
    assert templates()["eu-only-models"].label == "EU only models"


@pytest.mark.parametrize("name", list(templates()))
def test_a_template_is_sound_tested_and_names_nothing_of_one_installation(name):
    template = templates()[name]
    document = parse_document(template.source("my.own_policy"), known_kinds())
    assert document.name == "my.own_policy"
    assert document.description.strip() == template.description
    assert unknown_names(document, NOTHING) == ()
    results = run_cases(document)
    assert len(results) >= 3
    assert [(each.name, each.got) for each in results if not each.passed] == []
    denied = {case.expect.deny for case in document.tests} - {None}
    assert denied == {
        rule.id for rule in document.rules if rule.deny and rule.mode == "enforce"
    } | (denied & {"eu-only", "known-tools"})
