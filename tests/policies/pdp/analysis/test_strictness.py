"""Which demand is the stricter, and which decision."""

import pytest

from policies.pdp.analysis.strictness import covers, direction
from policies.pdp.decision import Decision, Effect
from policies.pdp.obligations import (
    AddSystemPrompt,
    AllowModels,
    Cap,
    Redact,
    Require,
    RouteTo,
    Sanitise,
    SetDefault,
    Tag,
)


@pytest.mark.parametrize(
    ("strict", "lax"),
    [
        (Cap(n=1), Cap(n=2)),
        (Cap(n=1, messages=5), Cap(n=1)),
        (AllowModels(frozenset({"a"})), AllowModels(frozenset({"a", "b"}))),
        (Redact(frozenset(), 0.4, "drop"), Redact(frozenset({"A"}), 0.5, "mask")),
        (Require(user=True), Require()),
        (Sanitise(frozenset({"bidi", "zero_width"})), Sanitise(frozenset({"bidi"}))),
        (AddSystemPrompt(("a", "b")), AddSystemPrompt(("b",))),
    ],
)
def test_a_stricter_demand_covers_a_laxer_one(strict, lax):
    assert covers(strict, lax)
    assert covers(strict, strict)
    assert not covers(lax, strict)
    assert direction(_permit(lax), _permit(strict)) == {"tighter"}
    assert direction(_permit(strict), _permit(lax)) == {"looser"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RouteTo("a"), RouteTo("b")),
        (SetDefault((("top_p", 0.1),)), SetDefault((("top_p", 0.2),))),
    ],
)
def test_what_has_no_order_is_other(one, other):
    assert not covers(one, other)
    assert direction(_permit(one), _permit(other)) == {"other"}


def test_decisions_are_compared_by_effect_first():
    deny = _decision(Effect.DENY, ())
    assert direction(deny, _permit(Cap(n=1))) == {"looser"}
    assert direction(_permit(), deny) == {"tighter"}
    assert direction(deny, deny) == frozenset()


def test_advice_weighs_nothing():
    assert direction(_permit(), _permit(Tag(frozenset({("a", "b")})))) == frozenset()


def _permit(*obligations):
    return _decision(Effect.PERMIT, obligations)


def _decision(effect, obligations):
    return Decision(effect, "", "", "", (), tuple(obligations), 0, (), (), ())
