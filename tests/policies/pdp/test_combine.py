"""The laws of merging: commutative, idempotent, monotone."""

from itertools import permutations

import pytest

from policies.pdp.combine import BoundRule, Outcome, Verdicts, combine, none_attached
from policies.pdp.decision import Effect, Layer, RuleRef
from policies.pdp.obligations import Cap, Redact, RouteTo
from policies.pdp.request import DEFAULTS, RISK_MAX, SLOTS, Phase
from policies.pdp.rules import read_rule
from policies.pdp.yaml_text import read_yaml


def _bound(layer: Layer, policy: str, rule: str, effects: str) -> BoundRule:
    placed = read_rule(read_yaml(f"{{id: {rule}, when: pii.count > 1, {effects}}}"))
    return BoundRule.of(RuleRef(layer, policy, rule), placed.rule)


_MATCHED = [
    _bound("app", "a", "r1", "redact: {kinds: [A], min_score: 0.8, method: hash}"),
    _bound("platform", "p", "r2", "redact: {kinds: [B]}, cap: {max_output_tokens: 300}"),
    _bound("app", "a", "r3", "route: app-model, cap: {max_output_tokens: 200}"),
    _bound("tenant", "t", "r4", "route: tenant-model, permit: true"),
    _bound("tenant", "t", "r0", "risk: 30"),
]


def test_obligations_of_all_layers_merge():
    decision = combine(Verdicts(matched=_MATCHED)).decision
    assert decision.effect is Effect.PERMIT
    assert (decision.code, decision.message, decision.remedy) == ("", "", "")
    assert decision.obligations == (
        Redact(frozenset("AB"), 0.4, "mask"),
        Cap(200),
        RouteTo("tenant-model"),
    )
    assert [str(ref) for ref in decision.determining] == ["p/r2", "t/r4", "a/r1", "a/r3"]
    assert decision.matched == ("p/r2", "t/r0", "t/r4", "a/r1", "a/r3")
    assert (decision.risk, decision.contributions) == (30, (("t/r0", 30),))


def test_the_order_in_which_rules_come_cannot_be_seen():
    expected = combine(Verdicts(matched=_MATCHED))
    for order in permutations(_MATCHED):
        assert combine(Verdicts(matched=order)) == expected


def test_a_rule_that_comes_twice_counts_once():
    assert combine(Verdicts(matched=_MATCHED * 2)) == combine(Verdicts(matched=_MATCHED))


def test_route_of_the_highest_layer_wins():
    app, tenant = _MATCHED[2], _MATCHED[3]
    platform = _bound("platform", "p", "r9", "route: platform-model")
    for rules, model in (
        ([app], "app-model"),
        ([app, tenant], "tenant-model"),
        ([platform, tenant, app], "platform-model"),
    ):
        assert RouteTo(model) in combine(Verdicts(matched=rules)).decision.obligations


def test_deny_overrides_and_leaves_no_obligations():
    deny = _bound("app", "a", "zz", "deny: {message: No, remedy: Ask}")
    decision = combine(Verdicts(matched=[*_MATCHED, deny])).decision
    assert decision.effect is Effect.DENY
    assert decision.code == "policy_denied"
    assert (decision.message, decision.remedy) == ("No", "Ask")
    assert decision.determining == (deny.ref,)
    assert decision.obligations == ()
    assert decision.risk == 30
    assert "p/r2" in decision.matched


def test_the_reason_is_the_first_by_layer_and_rule_and_all_are_listed():
    rules = [
        _bound("app", "a", "a-rule", "deny: {message: app}"),
        _bound("tenant", "t2", "c-rule", "deny: {message: tenant c2}"),
        _bound("tenant", "t1", "c-rule", "deny: {message: tenant c1}"),
        _bound("tenant", "t9", "b-rule", "deny: {message: tenant b}"),
    ]
    for order in permutations(rules):
        decision = combine(Verdicts(matched=order)).decision
        assert decision.message == "tenant b"
        assert [str(ref) for ref in decision.determining] == [
            "t9/b-rule",
            "t1/c-rule",
            "t2/c-rule",
            "a/a-rule",
        ]


def test_a_rule_that_says_no_comes_before_a_failure_and_that_before_silence():
    deny = _bound("app", "a", "z", "deny: {message: No}")
    failed = _bound("tenant", "t", "y", "redact: {}")
    silent = RuleRef("platform", "p", "default")
    pii = frozenset({"pii"})
    decision = combine(Verdicts([deny], [failed], pii, unpermitted=[silent])).decision
    assert (decision.code, decision.message) == ("policy_denied", "No")
    assert decision.determining == (deny.ref, failed.ref, silent)
    decision = combine(Verdicts([], [failed], pii, unpermitted=[silent])).decision
    assert decision.code == "detector_failed"
    assert decision.message == ("A detector failed (pii), and the rule t/y refuses the call then.")
    assert decision.remedy
    decision = combine(Verdicts(unpermitted=[silent])).decision
    assert (decision.code, decision.message) == (
        "policy_denied",
        "No rule of the policy p permits this call.",
    )
    assert decision.determining == (silent,)


def test_only_the_detectors_that_failed_are_named():
    rule = _bound("tenant", "t", "y", "redact: {}")
    both = BoundRule(rule.ref, rule.rule, rule.reads, frozenset({"pii", "injection"}))
    for failed, words in (
        ({"injection"}, "(injection)"),
        ({"pii", "injection"}, "(injection and pii)"),
    ):
        message = combine(Verdicts([], [both], frozenset(failed))).decision.message
        assert words in message


def test_case_22_risk_is_the_capped_sum_of_a_union():
    rules = [_bound("tenant", "t", f"r{number}", "risk: 400000") for number in range(3)]
    decision = combine(Verdicts(matched=[*rules, rules[0]])).decision
    assert decision.risk == RISK_MAX
    assert decision.contributions == (("t/r0", 400000), ("t/r1", 400000), ("t/r2", 400000))
    assert combine(Verdicts(matched=rules[:2])).decision.risk == 800000


def test_case_22_shadow_rules_are_named_and_change_nothing():
    shadow = [
        _bound("app", "a", "s2", "mode: shadow, deny: {message: No}"),
        _bound("tenant", "t", "s1", "mode: shadow, risk: 50"),
    ]
    with_shadow = combine(Verdicts(matched=_MATCHED, shadow=shadow)).decision
    without = combine(Verdicts(matched=_MATCHED)).decision
    assert with_shadow.shadow == ("t/s1", "a/s2")
    assert without.shadow == ()
    assert (with_shadow.effect, with_shadow.obligations, with_shadow.risk, with_shadow.matched) == (
        without.effect,
        without.obligations,
        without.risk,
        without.matched,
    )


def test_sentences_that_show_facts_are_made_for_each_call():
    deny = _bound("app", "a", "z", "deny: {message: 'Risk {risk}.', remedy: 'Not {app.tier}.'}")
    risk = _bound("app", "a", "y", "risk: 7")
    outcome = combine(Verdicts(matched=[deny, risk]))
    slots = list(DEFAULTS)
    slots[SLOTS["app.tier"]], slots[SLOTS["risk"]] = "free", 99
    phases: tuple[tuple[Phase, str], ...] = (("request", "Risk 7."), ("answer", "Risk 99."))
    for phase, message in phases:
        decision = outcome.settled(phase, slots)
        assert (decision.message, decision.remedy) == (message, "Not free.")
        assert decision.determining == outcome.decision.determining
    assert slots[SLOTS["risk"]] == 99


def test_a_remedy_alone_may_show_facts():
    deny = _bound("app", "a", "z", "deny: {message: No, remedy: '{app.tier}'}")
    decision = combine(Verdicts(matched=[deny])).settled("request", DEFAULTS)
    assert (decision.message, decision.remedy) == ("No", "")


def test_a_plain_outcome_is_its_decision():
    decision = none_attached()
    assert Outcome(decision).settled("request", DEFAULTS) is decision


def test_without_a_policy_everything_is_refused_and_that_is_said():
    decision = none_attached()
    assert (decision.effect, decision.code) == (Effect.DENY, "policy_denied")
    assert decision.message.startswith("No policy is attached")
    assert decision.determining == ()


@pytest.mark.parametrize(
    "obligation",
    [
        "redact: {}",
        "cap: {max_output_tokens: 5}",
        "route: m",
        "sanitise: [bidi]",
        "allow_models: [m]",
        "add_system_prompt: Be brief.",
        "set_default: {temperature: 0}",
        "tag: {a: b}",
        "notify: [t]",
        "require: {user: true}",
    ],
)
def test_an_obligation_determines_a_permit(obligation):
    rule = _bound("app", "a", "r", obligation)
    assert combine(Verdicts(matched=[rule])).decision.determining == (rule.ref,)


def test_lists_with_nothing_in_common_deny_and_name_the_rules():
    rules = [
        _bound("app", "a", "r1", "allow_tools: [x, y]"),
        _bound("tenant", "t", "r2", "allow_tools: [y, z]"),
        _bound("tenant", "t", "r3", "allow_models: [m]"),
    ]
    assert combine(Verdicts(matched=rules)).decision.permitted
    rules.append(_bound("platform", "p", "r4", "allow_tools: [x, z], tag: {a: b}"))
    for order in permutations(rules):
        decision = combine(Verdicts(matched=order)).decision
        assert (decision.effect, decision.code) == (Effect.DENY, "policy_denied")
        assert decision.message == "The rules p/r4 and t/r2 and a/r1 together allow no tools."
        assert [str(ref) for ref in decision.determining] == ["p/r4", "t/r2", "a/r1"]
        assert [found.key for found in decision.obligations] == ["tag"]
    deny = _bound("app", "z", "z", "deny: {message: No}")
    assert combine(Verdicts(matched=[*rules, deny])).decision.message == "No"


def test_a_bound_that_facts_break_denies_with_the_rules_that_it_breaks():
    rules = [
        _bound("app", "a", "r1", "cap: {n: 1}, notify: [t]"),
        _bound("tenant", "t", "r2", "cap: {n: 3}"),
        _bound("tenant", "t", "r3", "require: {user: true}"),
    ]
    outcome = combine(Verdicts(matched=rules))
    slots = list(DEFAULTS)
    slots[SLOTS["user.present"]], slots[SLOTS["call.n"]] = True, 1
    assert not outcome.final
    assert outcome.settled("request", slots) is outcome.decision
    slots[SLOTS["call.n"]] = 2
    decision = outcome.settled("request", slots)
    assert (decision.effect, decision.code) == (Effect.DENY, "policy_denied")
    assert [str(ref) for ref in decision.determining] == ["a/r1"]
    assert [found.key for found in decision.obligations] == ["notify"]
    slots[SLOTS["user.present"]] = False
    decision = outcome.settled("request", slots)
    assert [str(ref) for ref in decision.determining] == ["t/r3", "a/r1"]
    assert decision.message == "The call names no end user."
