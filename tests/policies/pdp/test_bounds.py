"""What a call must keep within is judged on its facts, and a breach says what would keep it."""

import pytest

from policies.pdp.bounds import Situation, bounding, breach
from policies.pdp.obligations import (
    KINDS,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Notify,
    Require,
    RouteTo,
)
from policies.pdp.request import DEFAULTS, SLOTS, Phase


def _at(phase: Phase = "request", route: str = "", **facts) -> Situation:
    slots = list(DEFAULTS)
    for name, value in facts.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return Situation(phase, slots, RouteTo(route) if route else None)


A, EU, SEND = frozenset({"a"}), frozenset({"eu"}), frozenset({"send"})


@pytest.mark.parametrize(
    ("obligation", "kept", "broken", "words"),
    [
        (Cap(n=2), _at(call__n=2), _at(call__n=3), "3 answers at once; at most 2"),
        (Cap(messages=2), _at(call__messages=2), _at(call__messages=3), "3 messages"),
        (Cap(bytes=2), _at(call__bytes=2), _at(call__bytes=3), "3 bytes"),
        (AllowModels(A), _at(model__routed="a"), _at(model__routed="b"), "The model b"),
        (AllowModels(A), _at(model__asked="a"), _at(model__asked="b"), "The model b"),
        (AllowModels(A), _at(route="a", model__routed="b"), _at(route="b", model__routed="a"),
         "The model b"),
        (AllowRegions(EU), _at(model__region="eu"), _at(model__region="us"), "in the region us"),
        (AllowRegions(EU), _at(route="b", model__routed="a", model__region="us"),
         _at(route="a", model__routed="a"), "whose region is not known"),
        (AllowTools(SEND), _at(call__tools=("send",)), _at(call__tools=("send", "erase")),
         "The call offers tools that are not allowed: erase."),
        (AllowTools(SEND), _at("answer", answer__tool_calls=("send",), call__tools=("x",)),
         _at("answer", answer__tool_calls=("erase",)), "The answer calls tools"),
        (Require(user=True), _at(user__present=True), _at(), "names no end user"),
        (Require(headers=frozenset({"x-a"})), _at(call__headers=("x-a",)), _at(), "lacks x-a"),
        (Require(metadata=frozenset({"team"})), _at(call__tags=("team=a", "x=team")),
         _at(call__tags=("x=team",)), "does not declare team"),
    ],
)  # fmt: skip
def test_a_bound_is_kept_or_broken(obligation, kept, broken, words):
    assert bounding(obligation)
    assert breach(obligation, kept) is None
    found = breach(obligation, broken)
    assert found is not None
    assert words in found.message
    assert found.remedy


def test_what_is_lowered_or_done_bounds_nothing():
    for obligation in (Cap(max_output_tokens=1, temperature=0.0), Notify(A), RouteTo("a")):
        assert not bounding(obligation)
        assert breach(obligation, _at(call__n=9)) is None
    assert {kind.key for kind in KINDS if kind in (AllowModels, AllowRegions, AllowTools)} == {
        "allow_models",
        "allow_regions",
        "allow_tools",
    }


def test_long_lists_are_told_in_part():
    names = frozenset(f"m{number:02}" for number in range(14))
    found = breach(AllowModels(names), _at(model__routed="other"))
    assert found is not None
    assert found.remedy == (
        "Allowed are: m00, m01, m02, m03, m04, m05, m06, m07, m08, m09 and 4 more."
    )
