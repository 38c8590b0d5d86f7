"""What differs between two policies: words, examples that are decided otherwise, sound verdicts."""

import json
from random import Random

import pytest

from policies.pdp.analysis.diff import VERDICTS, compare, compare_documents
from policies.pdp.analysis.strictness import direction
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.rules import PHASES
from tests.policies.pdp.random_documents import random_text
from tests.policies.pdp.random_facts import possible_slots

NO = {"deny": {"message": "No."}}


def _document(*rules, default="permit"):
    numbered = [{"id": f"r{number}", **rule} for number, rule in enumerate(rules)]
    return parse_document(json.dumps({"policy": "p", "default": default, "rules": numbered}))


def _when(condition, **effects):
    return {"when": condition, **(effects or NO)}


N2, N3 = _when("call.n > 2"), _when("call.n > 3")
SCORE_6, SCORE_4 = _when("injection.score >= 0.6"), _when("injection.score >= 0.4")
RISK = _when("call.stream", risk=50)
RISKIER = _when("call.stream", risk=90)
RISKY = _when("risk >= 80")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([N2], [N2], "same"),
        ([N2], [_when("2 < call.n")], "same"),
        ([N2], [N2, N3], "same"),
        ([], [N2], "tightens"),
        ([N2], [], "loosens"),
        ([N2], [N3], "loosens"),
        ([SCORE_6], [SCORE_4], "tightens"),
        ([N2], [_when("call.stream")], "both"),
        ([RISK, RISKY], [RISKIER, RISKY], "tightens"),
        ([RISKIER, RISKY], [RISK, RISKY], "loosens"),
        ([N2], [{**N2, "mode": "shadow"}], "loosens"),
        ([_when("true", cap={"messages": 9})], [_when("true", cap={"messages": 5})], "tightens"),
        (
            [_when("true", cap={"max_output_tokens": 5})],
            [_when("call.n < 9", cap={"max_output_tokens": 5})],
            "loosens",
        ),
        (
            [_when("true", allow_models=["a", "b"])],
            [_when("true", allow_models=["b", "c"])],
            "both",
        ),
        (
            [_when("true", redact={"kinds": "all"})],
            [_when("true", redact={"kinds": ["A"]})],
            "loosens",
        ),
        ([_when("true", tag={"a": "b"})], [_when("true", tag={"a": "c"})], "same"),
        ([N2], [_when("call.n > 2", deny={"message": "Nope."})], "same"),
        (
            [_when("pii.count > 0", on_error="deny", **NO)],
            [_when("pii.count > 0", on_error="skip", **NO)],
            "not_proven",
        ),
    ],
)
def test_the_verdict(before, after, verdict):
    difference = compare_documents(_document(*before), _document(*after))
    assert difference.verdict == verdict
    assert difference.words[-1] == VERDICTS[verdict]
    assert difference.written()["verdict"] == verdict


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            [SCORE_6],
            [SCORE_4],
            "Changes the rule p/r0: threshold of injection.score 0.6 → 0.4 (matches earlier now);"
            " now matches, for example, injection.score = 0.4.",
        ),
        (
            [N2],
            [N3],
            "Changes the rule p/r0: threshold of call.n 2 → 3 (matches later now); no longer"
            " matches, for example, call.n = 3.",
        ),
        ([], [N2], "Adds the rule p/r0: where call.n > 2: Deny the call: No, as for call.n = 3."),
        (
            [N2],
            [],
            "Removes the rule p/r0: where call.n > 2: Deny the call: No, as for call.n = 3.",
        ),
        (
            [N2],
            [{**N2, "mode": "shadow"}],
            "Changes the rule p/r0: mode enforce → shadow.",
        ),
        ([RISK], [RISKIER], "Changes the rule p/r0: risk 50 → 90."),
        (
            [_when("true", cap={"messages": 9})],
            [_when("true", cap={"messages": 5})],
            "Changes the rule p/r0: cap: deny more than 9 messages → deny more than 5 messages.",
        ),
        (
            [_when("true", permit=True)],
            [_when("true", permit=True, route="m")],
            "Changes the rule p/r0: route: nothing → serve it with the model m.",
        ),
        ([N2], [_when("call.n > 2", deny={"message": "x"})], None),
        ([N2], [_when("!(call.n > 3)")], None),
        ([N2], [_when("call.n > 2", permit=True)], None),
    ],
)
def test_changes_of_rules_in_words(before, after, words):
    difference = compare_documents(_document(*before), _document(*after))
    (change,) = difference.changes
    assert words is None or change.words == words
    assert change.words in difference.words


def test_another_default_is_told():
    difference = compare_documents(_document(), _document(default="deny"))
    assert difference.words[0] == "Changes the default of p to deny."
    assert difference.verdict == "tightens"
    assert difference.examples[0].witness.words == "any call"


def test_layers_are_compared_as_a_whole():
    parent, child = _document(N2), _document(_when("call.n > 1"))
    before = EffectivePolicy([Layered("platform", "a", 1, parent), Layered("app", "b", 1, child)])
    after = EffectivePolicy([Layered("app", "b", 1, child)])
    assert compare(before, after).verdict == "same"
    assert (
        compare(after, EffectivePolicy([Layered("platform", "a", 1, parent)])).verdict == "loosens"
    )


def _altered(rng: Random, text: str) -> str:
    """Change a policy a little: leave out, loosen, switch off, or turn a figure."""
    document = json.loads(text)
    rules = document["rules"]
    for rule in rules:
        roll = rng.random()
        if roll < 0.15:
            rule["mode"] = (
                rng.choice(["enforce", "shadow"]) if "route" not in rule else rule["mode"]
            )
        elif roll < 0.3:
            rule["when"] = f"({rule['when']}) && call.n > {rng.randint(0, 2)}"
        elif roll < 0.45:
            rule["when"] = f"({rule['when']}) || call.stream"
        elif roll < 0.5 and "risk" in rule:
            rule["risk"] = rng.choice([1, 78, 80])
    document["rules"] = [rule for rule in rules if rng.random() > 0.15]
    return json.dumps(document)


@pytest.mark.parametrize("seed", range(30))
def test_verdicts_and_examples_on_random_policies_are_true(seed):
    rng = Random(seed)
    text = random_text(rng, "p", 5)
    before, after = (
        EffectivePolicy([Layered("tenant", "p", 1, parse_document(each))])
        for each in (text, _altered(rng, text))
    )
    difference = compare(before, after)
    for example in difference.examples:
        slots = example.witness.slots
        old, new = before.decide(example.phase, slots), after.decide(example.phase, slots)
        assert example.direction in direction(old, new)
    seen = set()
    for _ in range(150):
        slots = possible_slots(rng)
        for phase in PHASES:
            old, new = before.decide(phase, slots), after.decide(phase, slots)
            seen |= direction(old, new)
    allowed = {
        "same": set(),
        "tightens": {"tighter"},
        "loosens": {"looser"},
    }.get(difference.verdict, {"tighter", "looser"})
    assert seen - {"other"} <= allowed
