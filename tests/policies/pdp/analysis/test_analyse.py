"""Findings: what they say is true, for written policies and for random ones."""

import json
from dataclasses import replace
from random import Random

import pytest

from policies.pdp.analysis.analyse import Hits, analyse, analyse_document
from policies.pdp.analysis.finding import KINDS, shown
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.program import Layered
from policies.pdp.request import FindingFact
from policies.pdp.rules import PHASES
from tests.policies.pdp.random_documents import random_document, random_layers
from tests.policies.pdp.random_facts import possible_slots


def _document(*rules: dict[str, object], default: str = "permit", name: str = "p") -> Document:
    return parse_document(json.dumps({"policy": name, "default": default, "rules": rules}))


def _rule(rule_id: str, when: object, **keys: object) -> dict[str, object]:
    return {"id": rule_id, "when": when, **(keys or {"deny": {"message": "No."}})}


def _found(document: Document, hits: Hits | None = None) -> list[tuple[str, str]]:
    report = analyse_document(document, hits)
    assert report.undecided == 0
    return [(each.kind, each.rules[0].rule) for each in report.findings if each.rules]


A = _rule("a", "call.n > 1")
B = _rule("b", "call.n > 2")
RISK = _rule("a", "call.n > 1", risk=50)
CAP_5, CAP_9 = {"messages": 5}, {"messages": 9}
ONLY_X = _rule("a", "call.stream", allow_models=["x"])
LONG = _rule("a", "answer.bytes > 5", phase="answer", deny={"message": "No."})
LONGER = _rule("b", "answer.bytes > 7", phase="answer", redact={"links": True})


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([_rule("a", "call.n > 3 && call.n < 3")], [("unreachable", "a")]),
        ([_rule("a", "source.hour <= 23")], [("denies_everything", "a"), ("always", "a")]),
        ([_rule("a", "true", tag={"x": "y"})], []),
        ([A, B], [("subsumed", "b")]),
        ([A, _rule("b", "1 < call.n")], [("duplicate", "b")]),
        ([A, _rule("b", "call.n > 2", route="m")], [("ineffective", "b")]),
        ([A, _rule("b", "call.n > 0", route="m")], []),
        (
            [_rule("a", "call.n > 1", cap=CAP_5), _rule("b", "call.n > 2", cap=CAP_9)],
            [("subsumed", "b")],
        ),
        ([_rule("a", "call.n > 1", cap=CAP_9), _rule("b", "call.n > 2", cap=CAP_5)], []),
        ([ONLY_X, _rule("b", "call.n > 2", allow_models=["y"])], [("contradiction", "a")]),
        ([ONLY_X, _rule("b", "!call.stream", allow_models=["y"])], []),
        (
            [_rule("a", "call.stream", allow_models=["x"], route="y")],
            [("contradiction", "a")],
        ),
        ([_rule("a", "true", permit=True)], [("ineffective", "a")]),
        ([RISK], [("ineffective", "a")]),
        ([RISK, _rule("b", "risk > 50")], [("risk_out_of_reach", "b")]),
        ([RISK, _rule("b", "risk >= 50")], []),
        ([_rule("b", "risk >= 50")], [("risk_out_of_reach", "b")]),
        ([{**A, "mode": "disabled"}], []),
        ([{**A, "mode": "shadow"}, B], []),
        ([LONG, LONGER], [("ineffective", "b")]),
    ],
)
def test_what_is_found(rules, found):
    assert _found(_document(*rules)) == found


def test_a_closed_policy_without_a_permit_denies_everything():
    document = _document(_rule("a", "true", tag={"x": "y"}), default="deny")
    (finding,) = analyse_document(document).findings
    assert finding.kind == "denies_everything"
    assert [ref.rule for ref in finding.rules] == ["default"]


TEXT = """\
policy: p
rules:
  - {id: a, when: true, permit: true}
  -   id: b
      when: call.n > 2 && call.n < 1
      deny: {message: No.}
"""


def test_findings_stand_where_their_rules_do():
    (finding,) = analyse_document(parse_document(TEXT)).findings
    assert (finding.line, finding.column) == (4, 7)
    assert finding.reason == "call.n > 2 and call.n < 1"
    assert finding.written()["rules"] == [{"layer": "tenant", "policy": "p", "rule": "b"}]
    stored = load_canonical(parse_document(TEXT).canonical())
    assert (analyse_document(stored).findings[0].line, finding.column) == (0, 7)


def test_a_lower_layer_that_adds_nothing_is_told():
    parent = _document(_rule("max", "call.n > 0", cap={"max_output_tokens": 100}), name="parent")
    child = _document(_rule("cap", "call.n > 1", cap={"max_output_tokens": 200}), name="child")
    layered = [Layered("platform", "parent", 1, parent), Layered("app", "child", 1, child)]
    report = analyse(EffectivePolicy(layered))
    (finding,) = report.findings
    assert (finding.kind, finding.severity) == ("ineffective", "warning")
    assert list(map(str, finding.rules)) == ["child/cap", "parent/max"]
    assert report.warnings == 1


def test_what_has_not_matched_is_told():
    document = _document(A, _rule("b", "call.stream"))
    hits = Hits(30, {"p/a": 7})
    assert _found(document, hits) == [("never_fired", "b")]
    assert "30 days" in analyse_document(document, hits).findings[0].words


def test_a_bound_that_is_reached_is_told():
    rules = [_rule(f"r{n}", f'call.n > {n} && app.name.contains("{n}")') for n in range(20)]
    report = analyse_document(_document(*rules), steps_max=60)
    assert report.undecided
    assert report.findings[0].kind == "not_decided"
    assert report.written()["undecided"] == report.undecided


def test_every_kind_of_finding_is_described():
    assert all(text.endswith(".") for text in KINDS.values())


def test_facts_are_shown_as_they_are_written():
    finding = FindingFact("A", "pii", 0.5, "user", 2)
    assert [shown(v) for v in (True, 1, 0.5, "x", ("a", "b"), (finding,))] == [
        "true", "1", "0.5", '"x"', '["a", "b"]', "[A (pii, 0.5, in user) x2]",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(30))
def test_findings_on_random_policies_are_true(seed):
    rng = Random(seed)
    layered = random_layers(rng, 3)
    if seed % 3 == 0:
        layered = [Layered("tenant", "p", 1, random_document(rng, "p", 14))]
    policy = EffectivePolicy(layered)
    contexts = [possible_slots(rng) for _ in range(120)]
    for finding in analyse(policy).findings:
        _CHECKS.get(finding.kind, lambda *_: None)(policy, finding, contexts)


def _matches(policy, finding, slots):
    phase = _phase(policy, finding)
    names = {
        str(ref) for ref in policy.decide(phase, slots).matched + policy.decide(phase, slots).shadow
    }
    return str(finding.rules[0]) in names


def _phase(policy, finding):
    ref = finding.rules[0]
    return next(
        rule.phase
        for each in policy.layered
        for rule in each.document.rules
        if (each.layer, each.name, rule.id) == (ref.layer, ref.policy, ref.rule)
    )


def _never(policy, finding, contexts):
    assert not any(_matches(policy, finding, slots) for slots in contexts)


def _always(policy, finding, contexts):
    assert all(_matches(policy, finding, slots) for slots in contexts)


def _everything(policy, _finding, contexts):
    assert not any(policy.decide("request", slots).permitted for slots in contexts)


def _meets(policy, finding, _contexts):
    decision = policy.decide(_phase(policy, finding), finding.witness.slots)
    assert not decision.permitted
    assert {str(ref) for ref in finding.rules} <= set(decision.matched)


def _changes_nothing(policy, finding, contexts):
    """Without the rule, or what it demands of that kind, the same is permitted and obliged."""
    ref = finding.rules[0]
    layered = [_replaced(each, ref, finding) for each in policy.layered]
    without = EffectivePolicy(layered)
    for slots in contexts:
        for phase in PHASES:
            before, after = policy.decide(phase, slots), without.decide(phase, slots)
            assert before.permitted == after.permitted
            if before.permitted and "adds to the risk" not in finding.words:
                assert before.obligations == after.obligations


def _replaced(layered, ref, finding):
    if (layered.layer, layered.name) != (ref.layer, ref.policy):
        return layered
    rules = tuple(
        _without(rule, finding) if rule.id == ref.rule else rule for rule in layered.document.rules
    )
    document = layered.document
    changed = Document(document.name, "", document.default_permit, rules, ())
    return replace(layered, document=changed)


def _without(rule, finding):
    if " says of " in finding.words:
        key = finding.words.split(" says of ")[1].split()[0]
        return replace(rule, obligations=tuple(o for o in rule.obligations if o.key != key))
    if rule.deny:
        return replace(rule, deny=None)
    if "permits by default" in finding.words:
        return replace(rule, permit=False)
    if "adds to the risk" in finding.words:
        return replace(rule, risk=0)
    return replace(rule, permit=False, obligations=())


_CHECKS = {
    "unreachable": _never,
    "risk_out_of_reach": _never,
    "always": _always,
    "denies_everything": _everything,
    "contradiction": _meets,
    "duplicate": _changes_nothing,
    "subsumed": _changes_nothing,
    "ineffective": _changes_nothing,
}
