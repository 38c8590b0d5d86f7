"""Policies of all layers as one: decisions, reasons, what must run, and the hash of it all."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp import engine
from policies.pdp.decision import Effect, Layer
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import PolicyError, parse_document
from policies.pdp.obligations import (
    AddSystemPrompt,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Redact,
    RouteTo,
    Sanitise,
)
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, SCHEMA_VERSION, SLOTS, FactValue, FindingFact
from tests.policies.pdp.naive import facets, naive_decide
from tests.policies.pdp.random_conditions import random_slots
from tests.policies.pdp.random_documents import random_document, random_layers

PII, INJECTION, CUSTOM = map(frozenset, (["pii"], ["injection"], ["custom"]))
ALL = PII | INJECTION | {"secrets", "custom"}


def _slots(**facts: FactValue) -> list[FactValue]:
    slots = list(DEFAULTS)
    for name, value in facts.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return slots


def _policy(*rules: str, default: str = "permit", layer: Layer = "tenant") -> EffectivePolicy:
    return EffectivePolicy([_layered(*rules, default=default, layer=layer)])


def _layered(
    *rules: str, default: str = "permit", layer: Layer = "tenant", name: str = "p", version: int = 1
) -> Layered:
    return Layered(layer, name, version, _document(*rules, default=default, name=name))


def _document(*rules: str, default: str = "permit", name: str = "p") -> Document:
    listed = "".join(f"  - {{{rule}}}\n" for rule in rules)
    return parse_document(f"policy: {name}\ndefault: {default}\nrules:\n{listed or '  []'}")


def _failures() -> st.SearchStrategy[frozenset[str]]:
    return st.sampled_from([frozenset(), PII, INJECTION, CUSTOM, ALL, frozenset({"unheard-of"})])


# Decisions


def test_a_call_without_a_policy_is_denied_in_both_phases():
    for phase in ("request", "answer"):
        decision = EffectivePolicy([]).decide(phase, DEFAULTS)
        assert (decision.effect, decision.code) == (Effect.DENY, "policy_denied")
        assert "No policy is attached" in decision.message


def test_a_policy_that_permits_by_default_permits_what_no_rule_denies():
    policy = _policy("id: a, when: call.stream, deny: {message: No streams}")
    assert policy.decide("request", DEFAULTS).permitted
    decision = policy.decide("request", _slots(call__stream=True))
    assert (decision.effect, decision.message) == (Effect.DENY, "No streams")
    assert decision.matched == ("p/a",)


def test_a_policy_without_a_default_denies_what_no_rule_permits():
    policy = _policy("id: a, when: call.stream, permit: true", default="deny")
    decision = policy.decide("request", DEFAULTS)
    assert [str(ref) for ref in decision.determining] == ["p/default"]
    assert decision.message == "No rule of the policy p permits this call."
    assert policy.decide("request", _slots(call__stream=True)).permitted


def test_each_policy_without_a_default_needs_its_own_permit():
    permit = "id: a, when: call.stream, permit: true"
    policy = EffectivePolicy(
        [
            _layered(permit, default="deny", name="one", layer="platform"),
            _layered("id: a, when: user.present, permit: true", default="deny", name="two"),
            _layered(name="three", layer="app"),
        ]
    )
    decision = policy.decide("request", _slots(call__stream=True))
    assert [str(ref) for ref in decision.determining] == ["two/default"]
    assert policy.decide("request", _slots(call__stream=True, user__present=True)).permitted
    decision = policy.decide("request", DEFAULTS)
    assert [str(ref) for ref in decision.determining] == ["one/default", "two/default"]


def test_a_permit_in_shadow_permits_nothing():
    policy = _policy("id: a, when: true, permit: true, mode: shadow", default="deny")
    decision = policy.decide("request", DEFAULTS)
    assert not decision.permitted
    assert decision.shadow == ("p/a",)


def test_answers_are_not_denied_by_the_default():
    policy = _policy("id: a, when: true, permit: true", default="deny")
    assert policy.decide("answer", DEFAULTS).permitted


def test_rules_of_the_answer_judge_the_answer_only():
    policy = _policy(
        "id: a, phase: answer, when: answer.pii.count > 0 && pii.count == 0, deny: {message: No}",
        "id: b, phase: answer, when: true, redact: {kinds: [EMAIL_ADDRESS]}",
    )
    slots = _slots(answer__pii__count=1)
    assert policy.decide("request", slots).matched == ()
    assert policy.decide("answer", slots).matched == ("p/a", "p/b")
    assert policy.decide("answer", DEFAULTS).obligations == (
        Redact(frozenset({"EMAIL_ADDRESS"}), 0.4, "mask"),
    )


def test_all_obligations_at_once():
    policy = _policy("id: a, when: true, redact: {}, cap: {max_output_tokens: 9}, route: small")
    assert policy.decide("request", DEFAULTS).obligations == (
        Redact(frozenset(), 0.4, "mask"),
        Cap(9),
        RouteTo("small"),
    )


def test_findings_are_judged_one_by_one():
    policy = _policy(
        "id: a, when: 'findings.exists(f, f.category == \"pii\" && f.score >= 0.5)', redact: {}"
    )
    weak = FindingFact("EMAIL_ADDRESS", "pii", 0.4, "user", 1)
    strong = FindingFact("EMAIL_ADDRESS", "pii", 0.5, "user", 1)
    assert policy.decide("request", _slots(findings=[weak])).matched == ()
    assert policy.decide("request", _slots(findings=[weak, strong])).matched == ("p/a",)
    assert policy.decide("request", _slots(findings=(strong,))).matched == ("p/a",)


def test_the_same_decision_is_the_same_object():
    policy = _policy("id: a, when: call.stream, redact: {}")
    assert policy.decide("request", DEFAULTS) is policy.decide("request", _slots(call__n=5))


def test_a_sentence_shows_the_facts_of_its_own_call():
    policy = _policy("id: a, when: pii.count > 0, deny: {message: 'Found {pii.kinds}.'}")
    for kinds, message in ((["A"], "Found A."), (["A", "B"], "Found A, B.")):
        decision = policy.decide("request", _slots(pii__count=1, pii__kinds=kinds))
        assert decision.message == message


def test_slots_are_left_as_they_were():
    policy = _policy(
        "id: a, when: true, risk: 5", "id: b, when: risk > 1, deny: {message: '{risk}'}"
    )
    slots = _slots(risk=77)
    assert policy.decide("request", slots).message == "5"
    policy.explain("request", slots)
    assert slots == _slots(risk=77)
    assert policy.decide("request", tuple(slots)).message == "5"


# Risk (case 22) and judging again (case 16)

_RISK_RULES = (
    "id: late, when: risk >= 80, deny: {message: 'Risk {risk}.'}",
    "id: a, when: call.stream, risk: 50",
    "id: b, when: user.present, risk: 30",
    "id: c, when: true, risk: 1000, mode: shadow",
)


def test_case_22_rules_that_read_risk_are_judged_after_all_that_add_to_it():
    policy = _policy(*_RISK_RULES)
    decision = policy.decide("request", _slots(call__stream=True, user__present=True))
    assert (decision.risk, decision.message) == (80, "Risk 80.")
    assert decision.contributions == (("p/a", 50), ("p/b", 30))
    assert policy.decide("request", _slots(call__stream=True)).permitted


def test_case_22_risk_adds_up_over_all_layers():
    policy = EffectivePolicy(
        [
            _layered("id: late, when: risk == 80, deny: {message: x}", layer="platform", name="x"),
            _layered("id: a, when: true, risk: 50", name="y"),
            _layered("id: a, when: true, risk: 30", name="z", layer="app"),
        ]
    )
    decision = policy.decide("request", DEFAULTS)
    assert not decision.permitted
    assert decision.contributions == (("y/a", 50), ("z/a", 30))


def test_case_22_shadow_rules_add_no_risk():
    decision = _policy(*_RISK_RULES).decide("request", DEFAULTS)
    assert (decision.risk, decision.contributions, decision.shadow) == (0, (), ("p/c",))


def test_case_22_the_sum_is_capped():
    policy = _policy(
        "id: a, when: true, risk: 1000000",
        "id: b, when: true, risk: 1000000",
        "id: c, when: risk == 1000000, deny: {message: x}",
    )
    decision = policy.decide("request", DEFAULTS)
    assert (decision.risk, decision.permitted) == (1_000_000, False)


def test_case_22_the_answer_reads_the_risk_of_the_request():
    policy = _policy("id: a, phase: answer, when: risk >= 80, deny: {message: 'Risk {risk}.'}")
    assert policy.decide("answer", _slots(risk=79)).permitted
    decision = policy.decide("answer", _slots(risk=80))
    assert (decision.message, decision.risk) == ("Risk 80.", 0)


def test_case_16_judging_again_for_another_deployment_adds_no_risk_twice():
    policy = _policy(
        "id: a, when: true, risk: 50",
        "id: b, when: 'risk > 50 || model.provider == \"b\"', deny: {message: No}",
    )
    slots = _slots(model__provider="a")
    first = policy.decide("request", slots)
    slots[SLOTS["risk"]] = first.risk
    assert policy.decide("request", slots) == first
    slots[SLOTS["model.provider"]] = "b"
    assert not policy.decide("request", slots).permitted


# Detectors that fail

_FAILING = (
    "id: pii, when: pii.count > 0, deny: {message: No}",
    "id: redact, when: call.stream, redact: {}",
    "id: lax, when: injection.score > 0.5, deny: {message: No}, on_error: skip",
    "id: other, when: user.present, deny: {message: No user}",
    "id: dark, when: pii.count > 0, deny: {message: No}, mode: shadow",
    "id: dark-lax, when: pii.count > 0, deny: {message: No}, mode: shadow, on_error: skip",
)


def test_a_failed_detector_denies_by_the_rules_that_it_feeds():
    policy = _policy(*_FAILING)
    decision = policy.decide("request", DEFAULTS, PII)
    assert (decision.effect, decision.code) == (Effect.DENY, "detector_failed")
    assert [str(ref) for ref in decision.determining] == ["p/pii", "p/redact"]
    assert decision.message == "A detector failed (pii), and the rule p/pii refuses the call then."
    assert decision.matched == ()
    assert decision.shadow == ("p/dark",)


def test_a_rule_with_on_error_skip_is_not_judged_when_its_detector_failed():
    policy = _policy(*_FAILING)
    slots = _slots(injection__score=0.9)
    assert not policy.decide("request", slots).permitted
    assert policy.decide("request", slots, INJECTION).permitted


def test_a_failed_detector_does_not_touch_rules_that_do_not_depend_on_it():
    policy = _policy("id: other, when: user.present, deny: {message: No user}")
    for failed in (PII, ALL, frozenset({"unheard-of"})):
        assert policy.decide("request", DEFAULTS, failed).permitted
        assert policy.decide("request", _slots(user__present=True), failed).code == "policy_denied"


def test_a_skipped_rule_adds_no_risk_and_permits_nothing():
    policy = _policy(
        "id: a, when: pii.count == 0, risk: 50, on_error: skip",
        "id: b, when: pii.count == 0, permit: true, on_error: skip",
        default="deny",
    )
    assert policy.decide("request", DEFAULTS).risk == 50
    decision = policy.decide("request", DEFAULTS, PII)
    assert (decision.risk, decision.code) == (0, "policy_denied")
    assert [str(ref) for ref in decision.determining] == ["p/default"]


def test_a_failed_detector_counts_in_the_answer_phase_too():
    policy = _policy("id: a, phase: answer, when: answer.pii.count > 0, deny: {message: No}")
    assert policy.decide("answer", DEFAULTS, PII).code == "detector_failed"
    assert policy.decide("request", DEFAULTS, PII).permitted
    assert policy.decide("answer", DEFAULTS, INJECTION).permitted


# The twin, and the promises


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]), _failures())
def test_decisions_agree_with_the_naive_evaluator_and_with_explain(seed, phase, failed):
    rng = Random(seed)
    layered = random_layers(rng)
    policy = EffectivePolicy(layered)
    for _ in range(4):
        slots = random_slots(rng)
        decision = policy.decide(phase, slots, failed)
        assert facets(decision) == naive_decide(layered, phase, slots, failed)
        assert policy.explain(phase, slots, failed).decision == decision
        assert policy.decide(phase, slots, failed) == decision


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]), _failures())
def test_p3_order_does_not_matter(seed, phase, failed):
    rng = Random(seed)
    layered = random_layers(rng)
    shuffled = [
        Layered(item.layer, item.name, item.version, _shuffled(item.document, rng))
        for item in rng.sample(layered, len(layered))
    ]
    slots = random_slots(rng)
    before, after = EffectivePolicy(layered), EffectivePolicy(shuffled)
    assert after.decide(phase, slots, failed) == before.decide(phase, slots, failed)
    assert after.labels == before.labels


def _shuffled(document: Document, rng: Random) -> Document:
    rules = rng.sample(document.rules, len(document.rules))
    return _with_rules(document, tuple(rules))


def _with_rules(document: Document, rules: tuple) -> Document:
    return Document(document.name, document.description, document.default_permit, rules, ())


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]), _failures())
def test_p3_a_further_rule_that_does_not_permit_never_turns_a_deny_into_a_permit(
    seed, phase, failed
):
    rng = Random(seed)
    layered = random_layers(rng)
    extra = [rule for rule in random_document(rng, "extra").rules if not rule.permit]
    extra = [rule for rule in extra if not (rule.route and rule.mode == "enforce")]
    if not layered:
        return
    item = layered[0]
    rules = item.document.rules + tuple(
        _renamed(rule, f"x{number}") for number, rule in enumerate(extra)
    )
    more = Layered(item.layer, item.name, item.version, _with_rules(item.document, rules))
    for _ in range(4):
        slots = random_slots(rng)
        before = EffectivePolicy(layered).decide(phase, slots, failed)
        after = EffectivePolicy([more, *layered[1:]]).decide(phase, slots, failed)
        assert before.permitted or not after.permitted
        _check_no_looser(before.obligations, after)


def _renamed(rule, rule_id: str):
    fields = {name: getattr(rule, name) for name in rule.__slots__}
    return type(rule)(**{**fields, "id": rule_id})


def _check_no_looser(obligations, after) -> None:
    """On a permit each obligation of before is kept, at least as strictly."""
    if not after.permitted:
        return
    found = {type(obligation): obligation for obligation in after.obligations}
    for obligation in obligations:
        kept = found[type(obligation)]
        assert _as_strict(kept, obligation)


def _as_strict(kept: Any, before: object) -> object:
    match before:
        case Cap():
            return all(getattr(kept, name) <= most for name, most in before.written().items())
        case Redact():
            return all(
                kept.covers(kind, 0.5) >= before.covers(kind, 0.5)
                and kept.covers_secret(kind.lower(), 0.5) >= before.covers_secret(kind.lower(), 0.5)
                for kind in "ABCD"
            )
        case AllowModels() | AllowRegions() | AllowTools():
            return kept.names <= before.names
        case Sanitise():
            return kept.carriers >= before.carriers
        case AddSystemPrompt():
            return set(kept.texts) >= set(before.texts)
    return True


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]), _failures())
def test_p3_a_further_policy_never_turns_a_deny_into_a_permit(seed, phase, failed):
    rng = Random(seed)
    layered = random_layers(rng, most=2)
    if not layered:
        return
    extra = Layered("app", "extra", 1, random_document(rng, "extra", most=4))
    try:
        more = EffectivePolicy([*layered, extra])
    except PolicyError:
        return
    slots = random_slots(rng)
    before = EffectivePolicy(layered).decide(phase, slots, failed)
    assert before.permitted or not more.decide(phase, slots, failed).permitted


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]))
def test_p3_an_error_never_turns_a_deny_into_a_permit_unless_a_rule_says_skip(seed, phase):
    rng = Random(seed)
    layered = [
        Layered(item.layer, item.name, item.version, _strict(item.document))
        for item in random_layers(rng)
    ]
    policy = EffectivePolicy(layered)
    for _ in range(4):
        slots = random_slots(rng)
        for failed in (PII, INJECTION, CUSTOM, ALL):
            before = policy.decide(phase, slots)
            after = policy.decide(phase, slots, failed)
            assert before.permitted or not after.permitted


def _strict(document: Document) -> Document:
    rules = []
    for rule in document.rules:
        fields = {name: getattr(rule, name) for name in rule.__slots__}
        rules.append(type(rule)(**{**fields, "on_error": "deny"}))
    return _with_rules(document, tuple(rules))


@given(st.integers(0, 2**32))
def test_p1_the_same_facts_and_policies_give_the_same_decision_anew(seed):
    layered = random_layers(Random(seed))
    again = random_layers(Random(seed))
    slots = random_slots(Random(seed))
    first, second = EffectivePolicy(layered), EffectivePolicy(again)
    assert first.hash == second.hash
    assert first.decide("request", slots) == second.decide("request", slots)


# Reasons


def test_explain_says_of_each_rule_what_became_of_it_and_what_it_read():
    document = parse_document(
        "policy: p\ndefault: permit\nrules:\n"
        "  - {id: risky, when: risk >= 50 && call.n > 0, deny: {message: 'Risk {risk}.'}}\n"
        "  - {id: adds, when: pii.count > 1, risk: 50}\n"
        "  - {id: off, when: call.stream, mode: disabled, deny: {message: No}}\n"
        "  - {id: dark, when: call.n == 1, mode: shadow, deny: {message: No}}\n"
        "  - {id: lax, when: injection.count > 0, on_error: skip, deny: {message: No}}\n"
        "  - {id: hard, when: injection.count > 0, deny: {message: No}}\n"
        "  - {id: no, when: call.n == 2, deny: {message: No}}\n"
        "  - {id: answer, phase: answer, when: answer.bytes > 1, deny: {message: No}}\n"
    )
    policy = EffectivePolicy([Layered("app", "p", 3, document)])
    trace = policy.explain("request", _slots(pii__count=2, risk=3), INJECTION)
    assert trace.phase == "request"
    assert [(rule.ref.rule, rule.mode, rule.outcome, rule.line) for rule in trace.rules] == [
        ("risky", "enforce", "matched", 4),
        ("adds", "enforce", "matched", 5),
        ("off", "disabled", "disabled", 6),
        ("dark", "shadow", "matched", 7),
        ("lax", "enforce", "skipped", 8),
        ("hard", "enforce", "failed", 9),
        ("no", "enforce", "not_matched", 10),
    ]
    assert {rule.ref.layer for rule in trace.rules} == {"app"}
    assert trace.rules[0].facts == (("risk", 50), ("call.n", 1))
    assert trace.rules[1].facts == (("pii.count", 2),)
    assert trace.decision.message == "Risk 50."
    answer = policy.explain("answer", _slots(answer__bytes=2))
    assert [(rule.ref.rule, rule.outcome) for rule in answer.rules] == [("answer", "matched")]


# What must run


@pytest.mark.parametrize(
    ("rule", "needs", "answer_needs", "answer_rules"),
    [
        ("id: a, when: call.stream, risk: 1", set(), set(), False),
        ("id: a, when: pii.count > 1, risk: 1", {"pii"}, set(), False),
        ("id: a, when: injection.score > 0.1, risk: 1", {"injection"}, set(), False),
        ("id: a, when: size(findings) > 1, risk: 1", ALL, set(), False),
        ("id: a, when: uninspected.count > 1, risk: 1", set(), set(), False),
        ("id: a, when: true, redact: {}", {"pii"}, set(), False),
        ("id: a, when: pii.count > 1, risk: 1, mode: shadow", {"pii"}, set(), False),
        ("id: a, when: pii.count > 1, risk: 1, mode: disabled", set(), set(), False),
        ("id: a, when: true, deny: {message: '{pii.kinds}'}", {"pii"}, set(), False),
        ("id: a, phase: answer, when: answer.bytes > 1, deny: {message: x}", set(), set(), True),
        ("id: a, phase: answer, when: true, redact: {}", set(), {"pii"}, True),
        ("id: a, phase: answer, when: pii.count > 1, deny: {message: x}", {"pii"}, set(), True),
        (
            "id: a, phase: answer, when: answer.pii.count > 1, deny: {message: x}",
            set(),
            {"pii"},
            True,
        ),
        (
            "id: a, phase: answer, when: size(answer.findings) > 1, deny: {message: x}",
            set(),
            ALL,
            True,
        ),
        ("id: a, phase: answer, when: true, redact: {}, mode: disabled", set(), set(), False),
    ],
)
def test_needs(rule, needs, answer_needs, answer_rules):
    policy = _policy(rule)
    assert policy.needs == needs
    assert policy.answer_needs == answer_needs
    assert policy.answer_rules is answer_rules


def test_needs_add_up_over_policies():
    policy = EffectivePolicy(
        [
            _layered("id: a, when: pii.count > 1, risk: 1", name="x"),
            _layered("id: a, when: injection.count > 1, risk: 1", name="y"),
        ]
    )
    assert policy.needs == PII | INJECTION
    assert EffectivePolicy([]).needs == frozenset()


@pytest.mark.parametrize(
    ("rule", "needs", "answer_needs"),
    [
        ("id: a, when: pii.count > 1, risk: 1", True, False),
        ("id: a, when: 'size(findings) > 1', risk: 1", True, False),
        ("id: a, when: true, redact: {kinds: all}", True, False),
        ("id: a, when: true, redact: {kinds: [PERSON, EMAIL_ADDRESS]}", True, False),
        ("id: a, when: true, redact: {kinds: [LOCATION]}", False, False),
        ("id: a, when: true, redact: {secrets: all}", False, False),
        ("id: a, when: secret.count > 1, risk: 1", False, False),
        ("id: a, mode: disabled, when: pii.count > 1, risk: 1", False, False),
        ("id: a, phase: answer, when: answer.pii.count > 1, tag: {x: y}", False, True),
        ("id: a, phase: answer, when: pii.count > 1, tag: {x: y}", True, False),
    ],
)
def test_names_are_looked_for_where_a_tenant_asks_and_a_rule_depends_on_them(
    rule, needs, answer_needs
):
    layered = [_layered(rule)]
    asking = EffectivePolicy(layered, entities=["PERSON"])
    assert ("ner" in asking.needs, "ner" in asking.answer_needs) == (needs, answer_needs)
    silent = EffectivePolicy(layered)
    assert "ner" not in silent.needs | silent.answer_needs
    assert asking.hash == silent.hash


def test_rules_that_depend_on_names_fail_with_them_and_others_do_not():
    policy = EffectivePolicy(
        [
            _layered(
                "id: a, when: pii.count > 5, deny: {message: No}",
                "id: b, when: true, redact: {kinds: [EMAIL_ADDRESS]}",
                "id: c, when: pii.count > 5, on_error: skip, deny: {message: No}",
            )
        ]
    )
    trace = policy.explain("request", DEFAULTS, frozenset({"ner"}))
    assert [rule.outcome for rule in trace.rules] == ["failed", "matched", "skipped"]
    assert trace.decision == policy.decide("request", DEFAULTS, frozenset({"ner"}))
    assert trace.decision.code == "detector_failed"
    assert "(ner)" in trace.decision.message


# What belongs together


def test_labels_name_the_highest_layer_first():
    policy = EffectivePolicy(
        [
            _layered(name="z", layer="app", version=4),
            _layered(name="b", version=2),
            _layered(name="a", version=12),
            _layered(name="base", layer="platform", version=7),
        ]
    )
    assert policy.labels == ("base@7", "a@12", "b@2", "z@4")


def test_a_version_attached_at_two_layers_counts_once_at_the_highest():
    rule = "id: a, when: true, risk: 5"
    policy = EffectivePolicy([_layered(rule, layer="app"), _layered(rule, layer="platform")])
    assert policy.labels == ("p@1",)
    assert policy.decide("request", DEFAULTS).risk == 5
    assert policy.layered[0].layer == "platform"
    other = EffectivePolicy(
        [_layered(rule, layer="app"), _layered(rule, layer="tenant", version=2)]
    )
    assert other.labels == ("p@2", "p@1")
    assert other.decide("request", DEFAULTS).risk == 10


def test_two_versions_of_a_policy_in_one_layer_are_refused():
    with pytest.raises(PolicyError) as caught:
        EffectivePolicy([_layered(), _layered(version=2)])
    assert caught.value.message == "the layer tenant has two versions of the policy p"


def test_two_routes_in_one_layer_are_refused():
    route = "id: a, when: call.stream, route: m"
    with pytest.raises(PolicyError) as caught:
        EffectivePolicy([_layered(route, name="x"), _layered(route, name="y")])
    assert caught.value.message == "the layer tenant has more than one route: x/a, y/a"
    shadow = _layered(f"{route}, mode: shadow", name="y")
    assert EffectivePolicy([_layered(route, name="x"), shadow]).labels == ("x@1", "y@1")
    below = _layered(route, name="y", layer="app")
    assert EffectivePolicy([_layered(route, name="x"), below]).labels == ("x@1", "y@1")


def test_all_that_is_wrong_with_a_set_is_told_at_once():
    route = "id: a, when: call.stream, route: m"
    with pytest.raises(PolicyError) as caught:
        EffectivePolicy([_layered(route), _layered(route, version=2)])
    assert len(caught.value.problems) == 2


# The hash (case 22)


def test_case_22_the_version_is_the_hash_of_the_effective_set():
    rule = "id: a, when: call.stream, deny: {message: No}"
    base = [_layered(rule, name="x"), _layered(name="y", layer="app")]
    original = EffectivePolicy(base).hash
    assert len(original) == 64
    assert EffectivePolicy(base[::-1]).hash == original
    changed = [
        base[:1],
        [_layered(rule, name="x", version=2), base[1]],
        [_layered(rule, name="x", layer="platform"), base[1]],
        [_layered(f"{rule}, mode: shadow", name="x"), base[1]],
        [_layered(rule.replace("No", "no"), name="x"), base[1]],
        [_layered(rule, name="z"), base[1]],
        [],
    ]
    hashes = {EffectivePolicy(layered).hash for layered in changed}
    assert len(hashes) == len(changed)
    assert original not in hashes


def test_case_22_the_version_changes_with_engine_and_fact_schema(monkeypatch):
    layered = [_layered()]
    original = EffectivePolicy(layered).hash
    monkeypatch.setattr("policies.pdp.evaluate.ENGINE_VERSION", f"{engine.ENGINE_VERSION}!")
    other_engine = EffectivePolicy(layered).hash
    monkeypatch.setattr("policies.pdp.evaluate.ENGINE_VERSION", engine.ENGINE_VERSION)
    monkeypatch.setattr("policies.pdp.evaluate.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    other_schema = EffectivePolicy(layered).hash
    assert len({original, other_engine, other_schema}) == 3


def test_headers_that_rules_name_are_known_in_lower_case():
    policy = _policy(
        "id: a, when: true, require: {headers: [X-Ticket]}",
        """id: b, when: '"X-Other" in call.headers || app.tier == "free"', risk: 1""",
        "id: c, when: true, mode: disabled, require: {headers: [x-never]}",
        """id: d, when: 'app.tier in ["paid"]', risk: 1""",
    )
    assert policy.headers == {"x-ticket", "x-other", "free"}
    assert _policy("id: a, when: true, risk: 1").headers == frozenset()


def test_links_are_looked_for_where_a_rule_reads_them():
    reads = "id: a, phase: answer, when: size(answer.links) > 0, redact: {links: true}"
    shows = "id: a, phase: answer, when: true, deny: {message: '{answer.links}'}"
    assert _policy(reads).reads_links
    assert _policy(shows).reads_links
    assert not _policy("id: a, phase: answer, when: true, redact: {links: true}").reads_links


def test_detectors_run_for_what_is_redacted():
    policy = _policy(
        "id: a, when: true, redact: {secrets: all}",
        "id: b, phase: answer, when: true, redact: {links: true}",
    )
    assert (policy.needs, policy.answer_needs) == ({"secrets"}, frozenset())
