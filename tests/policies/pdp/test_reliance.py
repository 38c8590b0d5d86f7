"""Which rules depend on what a tenant's own detectors find."""

import pytest

from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.reliance import depends_on, relies_on_custom
from policies.pdp.request import DEFAULTS, DETECTORS, SLOTS, FindingFact
from policies.pdp.rollout import Rollout

REQUEST = [
    ("custom.count > 0", True),
    ("'PROJECT_NAME' in custom.kinds", True),
    ("pii.count > 0 && custom.max_score > 0.5", True),
    ("pii.count > 0", False),
    ("true", False),
    ("size(findings) > 3", True),
    ("findings.exists(f, f.score > 0.5)", True),
    ("findings.exists(f, f.category == 'pii')", False),
    ("findings.exists(f, 'pii' == f.category && f.score > 0.5)", False),
    ("findings.exists(f, f.category in ['pii', 'secret'])", False),
    ("findings.exists(f, f.category in ['pii', 'custom'])", True),
    ("findings.exists(f, f.category == 'pii' || f.category == 'secret')", False),
    ("findings.exists(f, f.category == 'pii' || f.score > 0.5)", True),
    ("findings.exists(f, f.category == 'custom')", True),
    ("findings.exists(f, f.category != 'custom')", True),
    ("findings.exists(f, !(f.category == 'pii'))", True),
    ("findings.exists(f, f.kind == 'EMAIL_ADDRESS')", True),
    ("findings.all(f, f.category == 'pii')", True),
    ("findings.exists(f, f.category == 'pii') && size(findings) > 3", True),
]


DENY = "deny: {message: No.}"


def rule(when, phase="request", effect=DENY):
    text = f'policy: p\nrules:\n  - {{id: a, phase: {phase}, when: "{when}", {effect}}}\n'
    (found,) = parse_document(text).rules
    return found


@pytest.mark.parametrize(("when", "relies"), REQUEST)
def test_a_rule_relies_on_what_can_matter_to_its_condition(when, relies):
    asked = rule(when)
    assert relies_on_custom(asked, "request") is relies
    assert not relies_on_custom(asked, "answer")


def test_a_rule_of_the_answer_may_rely_on_either_phase():
    assert relies_on_custom(rule("answer.custom.count > 0", "answer"), "answer")
    both = rule("answer.custom.count > 0 && custom.count > 0", "answer")
    assert relies_on_custom(both, "answer")
    assert relies_on_custom(both, "request")
    others = rule("answer.findings.exists(f, f.category == 'pii')", "answer")
    assert not relies_on_custom(others, "answer")


def test_what_a_rule_says_matters_too():
    telling = rule("true", effect="deny: {message: 'Found {custom.kinds}.'}")
    assert relies_on_custom(telling, "request")


@pytest.mark.parametrize(("when", "relies"), REQUEST)
def test_a_rule_depends_on_the_tenants_own_only_where_it_relies_on_them(when, relies):
    asked = rule(when)
    assert ("custom" in depends_on(asked)) is relies
    assert depends_on(asked) - {"custom"} == asked.detectors - {"custom"}


def test_what_only_a_shadow_rule_asks_for_denies_nobody_where_it_fails():
    text = """
policy: p
default: permit
rules:
  - {id: mails, when: 'findings.exists(f, f.category == "pii")', deny: {message: No.}}
  - {id: tried, mode: shadow, when: custom.count > 0, deny: {message: No.}}
"""
    policy = EffectivePolicy([Layered("tenant", "p", 1, parse_document(text))])
    failed = frozenset({"custom"})
    found = list(DEFAULTS)
    found[SLOTS["findings"]] = (FindingFact("EMAIL_ADDRESS", "pii", 1.0, "user", 1),)
    assert policy.decide("request", DEFAULTS, failed).permitted
    decision = policy.decide("request", found, failed)
    assert (decision.code, decision.shadow) == ("policy_denied", ("p/tried",))
    trace = policy.explain("request", found, failed)
    assert trace.decision == decision
    assert [each.outcome for each in trace.rules] == ["matched", "failed"]
    for other in DETECTORS - failed:
        assert policy.decide("request", DEFAULTS, frozenset({other})).code == "detector_failed"


@pytest.mark.parametrize(
    ("when", "recalled"),
    [
        ("answer.custom.count > 0 && answer.pii.count > 0", set()),
        ("answer.custom.count > 0 && custom.count > 0", {"custom"}),
        ("pii.count > 0", {"pii", "ner"}),
        ("findings.exists(f, f.category == 'secret')", DETECTORS - {"custom"} | {"ner"}),
        ("size(findings) > 3", DETECTORS | {"ner"}),
    ],
)
def test_a_failure_on_a_request_counts_in_the_answer_where_a_rule_there_reads_of_it(when, recalled):
    text = f"""
policy: p
rules:
  - {{id: a, phase: answer, when: "{when}", {DENY}}}
  - {{id: b, when: custom.count > 0 && secret.count > 0, {DENY}}}
"""
    policy = EffectivePolicy([Layered("tenant", "p", 1, parse_document(text))])
    assert policy.recalls == recalled
    nothing = EffectivePolicy([])
    assert Rollout(nothing, policy, 0).recalls == Rollout(policy, nothing, 0).recalls == recalled
