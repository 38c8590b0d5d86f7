"""The policy that decided, put together again, and its rules judged once more."""

from dataclasses import replace

import orjson
import pytest

from gateway.calls import ruling
from gateway.calls.ruling import CannotRebuildError, Version, excerpt, judge, rebuild, slots_of
from gateway.proxy import facts, record
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import parse_document
from policies.pdp.request import DEFAULTS, SCHEMAS, SLOTS, FindingFact

PERMIT = "policy: {}\ndefault: permit\n"
SPAM = """\
policy: spam
default: permit
rules:

  # Two of a kind.
  - id: mail
    when: pii.count > 1
    deny:
      message: >-
        {pii.count} are

        too many.

  - id: first-line
    phase: answer
    when: answer.bytes > 10
    deny: {message: "Long."}
tests: []
"""
RISK = """\
policy: risk
default: permit
rules:
  - {id: adds, when: pii.count > 0, risk: 40}
  - {id: denies, when: risk >= 40, deny: {message: "Risk {risk}."}}
"""


def version(text, number=1, canonical=None):
    document = parse_document(text)
    return Version(document.name, number, text, canonical or document.canonical().decode())


def layered(layer, stored):
    return Layered(layer, stored.name, stored.number, parse_document(stored.source))


def body(policy, phase="request", failed=(), **given):
    """Return what the recorder writes of a decision, as it comes back from the database."""
    slots = list(DEFAULTS)
    for name, value in given.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    written = {
        "policies": policy.labels,
        "policy_hash": policy.hash,
        "facts": facts.recorded(slots),
        "decision": record._decision(policy.decide(phase, slots, frozenset(failed))),
    }
    return orjson.loads(orjson.dumps(written, default=tuple))


@pytest.mark.parametrize(
    "layers",
    [
        ("platform", "platform", "platform"),
        ("platform", "tenant", "app"),
        ("platform", "app", "app"),
        ("tenant", "tenant", "tenant"),
        ("app", "app", "app"),
        ("tenant", "tenant", "app"),
    ],
)
def test_the_layers_are_found(layers):
    stored = [version(PERMIT.format(name)) for name in ("a", "b", "c")]
    policy = EffectivePolicy([layered(*pair) for pair in zip(layers, stored, strict=True)])
    found = rebuild(body(policy), reversed(stored))
    assert found.hash == policy.hash
    assert [item.layer for item in found.layered] == list(layers)


def test_names_out_of_order_tell_the_layers_too():
    stored = [version(PERMIT.format(name)) for name in ("z", "a")]
    policy = EffectivePolicy([layered("platform", stored[0]), layered("app", stored[1])])
    assert policy.labels == ("z@1", "a@1")
    assert rebuild(body(policy), stored).hash == policy.hash


def test_no_policy_at_all_can_be_rebuilt():
    policy = EffectivePolicy([])
    found = judge("request", body(policy), rebuild(body(policy), []), [])
    assert found.rules == ()
    assert found.differs == ""


def test_the_recorded_version_is_judged_not_a_later_one():
    first, second = version(SPAM), version(SPAM.replace("> 1", "> 5"), number=2)
    policy = EffectivePolicy([layered("tenant", first)])
    written = body(policy, pii__count=3)
    found = judge("request", written, rebuild(written, [second, first]), [second, first])
    assert [rule.label for rule in found.determining] == ["spam@1"]
    assert "> 1" in found.determining[0].text[1].text


def test_what_is_not_stored_is_said():
    policy = EffectivePolicy([layered("tenant", version(SPAM))])
    with pytest.raises(CannotRebuildError, match="spam@1 is not stored"):
        rebuild(body(policy), [version(SPAM, number=2)])


def test_another_text_under_the_same_name_is_noticed():
    policy = EffectivePolicy([layered("tenant", version(SPAM))])
    with pytest.raises(CannotRebuildError, match="recorded hash"):
        rebuild(body(policy), [version(SPAM.replace("> 1", "> 2"))])


def test_another_engine_is_noticed(monkeypatch):
    policy = EffectivePolicy([layered("tenant", version(SPAM))])
    written = body(policy)
    monkeypatch.setattr("policies.pdp.evaluate.ENGINE_VERSION", "pdp 99")
    with pytest.raises(CannotRebuildError, match="another version of the engine"):
        rebuild(written, [version(SPAM)])


def test_a_stored_form_that_is_none_is_said():
    policy = EffectivePolicy([layered("tenant", version(SPAM))])
    with pytest.raises(CannotRebuildError, match="does not read"):
        rebuild(body(policy), [version(SPAM, canonical='{"language": 7}')])


def test_a_text_that_no_longer_parses_costs_only_its_lines():
    stored = replace(version(SPAM), source="policy: [")
    policy = EffectivePolicy([layered("tenant", version(SPAM))])
    written = body(policy, pii__count=3)
    found = judge("request", written, rebuild(written, [stored]), [stored])
    (rule,) = found.determining
    assert (rule.rule, rule.line, rule.text) == ("mail", 0, ())
    assert found.differs == ""


def test_a_rule_is_shown_with_its_lines():
    stored = version(SPAM)
    policy = EffectivePolicy([layered("tenant", stored)])
    written = body(policy, pii__count=3)
    found = judge("request", written, rebuild(written, [stored]), [stored])
    (rule,) = found.rules
    assert rule.determining
    assert rule.outcome == "matched"
    assert rule.facts == (("pii.count", 3),)
    assert (rule.text[0].number, rule.text[0].text) == (6, "- id: mail")
    assert (rule.text[-1].number, rule.text[-1].text) == (12, "      too many.")
    assert rule.line == 6


def test_the_answer_is_judged_with_its_own_rules():
    stored = version(SPAM)
    policy = EffectivePolicy([layered("tenant", stored)])
    written = body(policy, "answer", answer__bytes=11)
    found = judge("answer", written, rebuild(written, [stored]), [stored])
    assert [(rule.rule, rule.outcome) for rule in found.rules] == [("first-line", "matched")]
    assert found.rules[0].text[-1].text == '  deny: {message: "Long."}'


def test_risk_is_added_up_again():
    stored = version(RISK)
    policy = EffectivePolicy([layered("tenant", stored)])
    written = body(policy, pii__count=1)
    found = judge("request", written, rebuild(written, [stored]), [stored])
    assert found.differs == ""
    assert [rule.outcome for rule in found.rules] == ["matched", "matched"]


@pytest.mark.parametrize("failed", [["pii"], ["injection"], ["pii", "injection"]])
def test_a_failed_detector_that_was_not_recorded_is_found_out(failed):
    text = SPAM + "\n"
    text = text.replace("tests: []", "  - id: inj\n    when: injection.count > 1\n    permit: true")
    stored = version(text)
    policy = EffectivePolicy([layered("tenant", stored)])
    written = body(policy, failed=failed)
    found = judge("request", written, rebuild(written, [stored]), [stored])
    assert found.assumed == tuple(sorted(failed))
    assert found.differs == ""
    recorded = judge("request", written | {"failed": failed}, policy, [stored])
    assert recorded.assumed == ()
    assert recorded.rules == found.rules


def test_a_record_of_an_older_fact_schema_is_judged_as_it_was():
    """Facts are only ever added: what a record does not name had its default."""
    stored = version(SPAM)
    policy = EffectivePolicy([layered("tenant", stored)])
    for schema in SCHEMAS:
        written = body(policy, injection__count=3) | {"policy_hash": policy.hash_under(schema)}
        found = rebuild(written, [stored])
        assert judge("request", written, found, [stored]).differs == ""
    unknown = body(policy) | {"policy_hash": policy.hash_under(0)}
    with pytest.raises(CannotRebuildError):
        rebuild(unknown, [stored])


def test_a_record_that_does_not_agree_with_its_facts_is_said():
    stored = version(SPAM)
    policy = EffectivePolicy([layered("tenant", stored)])
    written = body(policy, pii__count=3)
    written["facts"]["pii.count"] = 0
    found = judge("request", written, rebuild(written, [stored]), [stored])
    assert found.differs == "effect, code, determining, matched"
    assert found.assumed == ()


def test_facts_come_back_as_the_engine_had_them():
    findings = (FindingFact("EMAIL_ADDRESS", "pii", 1.0, "user", 2),)
    slots = list(DEFAULTS)
    slots[SLOTS["findings"]] = findings
    slots[SLOTS["call.roles"]] = ("user", "system")
    slots[SLOTS["call.temperature"]] = 0.5
    recorded = orjson.loads(orjson.dumps(facts.recorded(slots), default=tuple))
    assert slots_of(recorded) == slots
    assert slots_of(recorded | {"a.fact.of.tomorrow": 1}) == slots


@pytest.mark.parametrize(
    ("source", "line", "expected"),
    [
        ("rules:\n-\n  id: a\n  when: x\n-\n  id: b", 3, ["id: a", "when: x"]),
        ("- id: a\n\n  # why\n  when: x\n\n\n- id: b", 1, ["- id: a", "", "  # why", "  when: x"]),
        ("rules: [{id: a}]", 1, ["rules: [{id: a}]"]),
        ("- id: a", 5, []),
        ("- id: a", 0, []),
    ],
)
def test_an_excerpt_ends_where_the_rule_does(source, line, expected):
    assert [item.text for item in excerpt(source, line)] == expected


def test_an_excerpt_is_bounded():
    source = "- id: a\n" + "  x\n" * 500
    assert len(excerpt(source, 1)) == ruling.EXCERPT_MAX
