"""The page on the language says what the code does, and its examples run."""

import re
from pathlib import Path
from typing import get_args

from policies.pdp.effects import EFFECTS
from policies.pdp.expression.tree import Operator
from policies.pdp.language import parse_document
from policies.pdp.reference import EXAMPLE, OPERATORS, reference
from policies.pdp.request import FACTS
from policies.pdp.rules import read_rule
from policies.pdp.testing import run_cases
from policies.pdp.yaml_text import read_yaml

FILE = Path(__file__).parents[3] / "docs" / "policy-language.md"


def test_the_page_is_what_the_code_says():
    """`python manage.py policy reference > docs/policy-language.md` writes it anew."""
    assert FILE.read_text(encoding="utf-8") == reference()


def test_the_page_names_every_fact_operator_and_effect():
    page = reference()
    assert tuple(OPERATORS) == get_args(Operator)
    assert all(f"| `{name}` |" in page for name in FACTS)
    assert all(f"### {effect}\n" in page for effect in EFFECTS)


def test_the_example_is_sound_and_its_tests_pass():
    assert f"```yaml\n{EXAMPLE}```" in reference()
    results = run_cases(parse_document(EXAMPLE))
    assert results
    assert [result for result in results if not result.passed] == []


def test_the_example_of_every_effect_is_read():
    sections = re.split(r"^### ", reference(), flags=re.MULTILINE)[1:]
    shown = {}
    for section in sections:
        example = re.search(r"```yaml\n(.*?)\n```", section, re.DOTALL)
        assert example is not None
        read_rule(read_yaml(f"id: a\nwhen: true\n{example[1]}"))
        shown[section.partition("\n")[0]] = example[1].partition(":")[0]
    assert list(shown) == list(EFFECTS)
    assert shown == {effect: effect for effect in EFFECTS}
