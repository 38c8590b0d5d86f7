"""What conditions mean, operator by operator."""

import pytest

from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.parser import parse_condition
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact

_FACTS = {
    "risk": 80,
    "pii.max_score": 0.5,
    "model.asked": "gpt-4o",
    "app.tier": "",
    "call.stream": True,
    "call.tools": ["search", "mail"],
    "findings": [
        FindingFact("EMAIL", "pii", 0.9, "user", 2),
        FindingFact("X", "injection", 0.1, "tool", 1),
    ],
}


def _slots():
    slots = list(DEFAULTS)
    for name, value in _FACTS.items():
        slots[SLOTS[name]] = value
    return slots


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("false", False),
        ("call.stream", True),
        ("!call.stream", False),
        ("call.stream && !user.present", True),
        ("call.stream && user.present", False),
        ("user.present || call.stream", True),
        ("user.present || !call.stream", False),
        ("risk == 80", True),
        ("risk != 80", False),
        ("risk < 80", False),
        ("risk <= 80", True),
        ("risk > 80", False),
        ("risk >= 80", True),
        ("risk > -1", True),
        ("pii.max_score >= 0.5", True),
        ("pii.max_score > 0.5", False),
        ("app.tier < model.asked", True),
        ("call.stream == true", True),
        ("call.stream != user.present", True),
        ("risk in [79, 80]", True),
        ("risk in [79, 81]", False),
        ('"mail" in call.tools', True),
        ('"ma" in call.tools', False),
        ("size(call.tools) == 2", True),
        ("size(model.asked) == 6", True),
        ("size(findings) > 2", False),
        ('model.asked.startsWith("gpt")', True),
        ('model.asked.startsWith("4o")', False),
        ('model.asked.endsWith("4o")', True),
        ('model.asked.endsWith("gpt")', False),
        ('model.asked.contains("t-4")', True),
        ('model.asked.contains("x")', False),
        ('"a gpt-4o b".contains(model.asked)', True),
        ('model.asked.matches("^gpt-[0-9]o$")', True),
        ('model.asked.matches("^4")', False),
        ('findings.exists(f, f.kind == "EMAIL" && f.count == 2)', True),
        ('findings.exists(f, f.kind == "EMAIL" && f.count == 1)', False),
        ("findings.all(f, f.score > 0.05)", True),
        ('findings.all(f, f.place == "user")', False),
        ('findings.exists(f, f.category == "injection" && risk > 1)', True),
        ('call.tools.exists(t, t == "mail")', True),
        ("call.tools.all(t, t.contains(model.asked))", False),
        ("call.roles.exists(r, true)", False),
        ("call.roles.all(r, false)", True),
    ],
)
def test_meaning(text, expected):
    assert evaluate(parse_condition(text), _slots()) is expected
