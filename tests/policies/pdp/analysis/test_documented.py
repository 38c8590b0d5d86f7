"""The examples of docs/policy-analysis.md are what the analysis says."""

import json
import re
from pathlib import Path

from gateway.management.policy_findings import say
from policies.pdp.analysis.diff import compare_documents
from policies.pdp.analysis.finding import KINDS
from policies.pdp.analysis.passing import would_pass
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, SLOTS

PAGE = (Path(__file__).parents[4] / "docs" / "policy-analysis.md").read_text(encoding="utf-8")
POLICY, FINDINGS, DIFFERENCE = re.findall(r"```(?:yaml|text)\n(.*?)```", PAGE, re.DOTALL)


def test_the_findings_are_those_of_the_policy():
    said = say(parse_document(POLICY), None)
    assert list(said.lines(Path("house-rules.yaml"))) == FINDINGS.splitlines()


def test_the_difference_is_that_of_the_change():
    changed = POLICY.replace("score >= 0.6\n    risk: 50", "score >= 0.4\n    risk: 80")
    changed = changed.replace("messages: 20", "messages: 40")
    difference = compare_documents(parse_document(POLICY), parse_document(changed))
    assert list(difference.words) == DIFFERENCE.splitlines()


def test_every_kind_is_in_the_table():
    assert all(f"| `{kind}` | {text} |" in PAGE for kind, text in KINDS.items())


def test_the_changes_that_pass_are_found():
    policy = EffectivePolicy([Layered("tenant", "house-rules", 1, parse_document(POLICY))])
    rows = re.findall(r"^\| `(\{.*\})` \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for facts, words in rows:
        slots = list(DEFAULTS)
        for name, value in json.loads(facts).items():
            slots[SLOTS[name]] = tuple(value) if isinstance(value, list) else value
        way = would_pass(policy, slots)
        assert way is not None
        assert way.words == words
