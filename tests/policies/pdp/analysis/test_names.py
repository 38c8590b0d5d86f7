"""Names that nothing has: what is looked at, and where it is said to stand."""

from typing import get_args

import pytest

from policies.detectors.finding import Category
from policies.pdp.analysis.names import CATEGORIES, KnownNames, unknown_names
from policies.pdp.language import load_canonical, parse_document

TEXT = """\
policy: p
default: permit
rules:
  - id: models
    when: model.asked == "gpt-5" || model.asked in ["gpt-4o", "gpt-4o-mni"]
    route: gpt-4o-minii
  - id: lists
    when: '"CREDIT_CRAD" in pii.kinds && call.tools.exists(t, t == "serch")'
    allow_models: [gpt-4o, gtp-4o]
    allow_regions: [eu, uk]
    redact: {kinds: [EMAIL_ADRESS], secrets: [aws_access_key]}
  - id: findings
    when: findings.exists(f, f.category == "secrets" && f.kind == "IBAN_CODE")
    deny: {message: No.}
  - {id: who, when: 'app.tier != "fre" && app.tier != "" && app.name == "x"', allow_tools: [search]}
"""
KNOWN = KnownNames(
    models=frozenset({"gpt-4o", "gpt-4o-mini"}),
    kinds=frozenset({"CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "aws_access_key"}),
    tools=frozenset({"search", "mail"}),
    tiers=frozenset({"free", "paid"}),
    regions=frozenset({"eu", "us"}),
)


def test_each_unknown_name_is_told_at_its_place():
    problems = unknown_names(parse_document(TEXT), KNOWN)
    assert [(each.line, each.column, each.message.split(" (")[0]) for each in problems] == [
        (5, 27, 'there is no model "gpt-5"'),
        (5, 64, 'there is no model "gpt-4o-mni"'),
        (6, 12, 'there is no model "gpt-4o-minii"'),
        (8, 13, 'there is no kind "CREDIT_CRAD"'),
        (8, 69, 'there is no tool "serch"'),
        (9, 28, 'there is no model "gtp-4o"'),
        (10, 25, 'there is no region "uk"'),
        (11, 22, 'there is no kind "EMAIL_ADRESS"'),
        (13, 45, 'there is no category of findings "secrets"'),
        (15, 35, 'there is no tier "fre"'),
    ]
    lines = TEXT.split("\n")
    for each in problems:
        name = each.message.split('"')[1]
        assert lines[each.line - 1][each.column - 1 :].startswith(name)


def test_the_name_that_was_meant_is_offered():
    hints = {p.message.split('"')[1]: p.hint for p in unknown_names(parse_document(TEXT), KNOWN)}
    assert hints["CREDIT_CRAD"] == 'did you mean "CREDIT_CARD"?'
    assert hints["gpt-4o-mni"] == 'did you mean "gpt-4o-mini"?'
    assert hints["secrets"] == 'did you mean "secret"?'


def test_what_is_not_known_is_not_looked_at():
    found = unknown_names(parse_document(TEXT), KnownNames(categories=None))
    assert found == ()


def test_a_stored_text_has_no_places():
    stored = load_canonical(parse_document(TEXT).canonical())
    problems = unknown_names(stored, KNOWN)
    assert {(each.line, each.column) for each in problems} == {(0, 0)}
    assert len(problems) == 10


@pytest.mark.parametrize("category", get_args(Category))
def test_every_category_of_the_detectors_is_known(category):
    assert category in CATEGORIES
