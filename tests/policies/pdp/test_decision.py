"""The values of a decision."""

from policies.pdp.combine import none_attached
from policies.pdp.decision import Effect, RuleRef
from policies.pdp.obligations import Redact


def test_a_reference_reads_policy_slash_rule():
    assert str(RuleRef("tenant", "house-rules", "mask-pii")) == "house-rules/mask-pii"


def test_redact_covers_kinds_from_a_score_on():
    some = Redact(frozenset({"EMAIL"}), 0.4, "mask")
    assert some.covers("EMAIL", 0.4)
    assert not some.covers("EMAIL", 0.39)
    assert not some.covers("PHONE", 0.9)


def test_redact_without_kinds_covers_every_kind():
    every = Redact(frozenset(), 0.4, "mask")
    assert every.covers("PHONE", 0.4)
    assert not every.covers("PHONE", 0.3)


def test_a_decision_permits_or_not():
    assert none_attached().effect is Effect.DENY
    assert not none_attached().permitted
