"""The laws of merging: commutative, idempotent, associative, and never looser."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.obligations import (
    CARRIERS,
    KINDS,
    REDACT_METHODS,
    AddSystemPrompt,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Notify,
    Redact,
    Require,
    RouteTo,
    Sanitise,
    SetDefault,
    Tag,
    demand,
)
from policies.pdp.wording import obligation as in_words

_names = st.frozensets(st.sampled_from("ABC"))
_maybe = st.none() | _names
_bound = st.none() | st.integers(1, 5)
_redacts = st.builds(
    Redact,
    _maybe,
    st.sampled_from([0.0, 0.4, 1.0]),
    st.sampled_from(REDACT_METHODS),
    _maybe,
    st.booleans(),
    _maybe,
)
_caps = st.builds(Cap, _bound, _bound, st.none() | st.sampled_from([0.0, 0.5, 2.0]), _bound, _bound)
_commuting = {
    Redact: _redacts,
    Sanitise: st.builds(Sanitise, st.frozensets(st.sampled_from(CARRIERS))),
    Cap: _caps,
    AllowModels: st.builds(AllowModels, _names),
    AllowRegions: st.builds(AllowRegions, _names),
    AllowTools: st.builds(AllowTools, _names),
    Tag: st.builds(Tag, st.frozensets(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")))),
    Notify: st.builds(Notify, _names),
    Require: st.builds(Require, st.booleans(), _names, _names),
}
_ordered = {
    AddSystemPrompt: st.builds(AddSystemPrompt, st.sampled_from([("a",), ("b",), ("a", "b")])),
    SetDefault: st.builds(
        lambda values: SetDefault(tuple(sorted(values.items()))),
        st.dictionaries(st.sampled_from(["temperature", "top_p"]), st.sampled_from([0.0, 1.0])),
    ),
    RouteTo: st.builds(RouteTo, st.sampled_from("ab")),
}


def test_every_kind_of_obligation_has_its_laws_here():
    assert set(_commuting) | set(_ordered) == set(KINDS)
    assert len({kind.key for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", _commuting)
@given(st.data())
def test_merging_is_commutative_idempotent_and_associative(kind, data):
    a, b, c = (data.draw(_commuting[kind]) for _ in range(3))
    assert a.merge(b) == b.merge(a)
    assert a.merge(a) == a
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


@pytest.mark.parametrize("kind", _ordered)
@given(st.data())
def test_what_stands_in_order_merges_idempotently_and_associatively(kind, data):
    a, b, c = (data.draw(_ordered[kind]) for _ in range(3))
    assert a.merge(a) == a
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b).merge(a) == a.merge(b)


@given(_redacts, _redacts, st.sampled_from("ABCD"), st.sampled_from([0.0, 0.2, 0.4, 0.9, 1.0]))
def test_a_merged_redaction_covers_what_each_covers_at_least_as_strictly(a, b, kind, score):
    merged = a.merge(b)
    for one in (a, b):
        assert merged.covers(kind, score) or not one.covers(kind, score)
        assert merged.covers_secret(kind, score) or not one.covers_secret(kind, score)
        assert merged.covers_custom(kind, score) or not one.covers_custom(kind, score)
        assert merged.links or not one.links
        assert REDACT_METHODS.index(merged.method) <= REDACT_METHODS.index(one.method)
        assert merged.detectors >= one.detectors


@given(_caps, _caps)
def test_a_merged_cap_is_the_smaller_of_each_bound(a, b):
    merged = a.merge(b)
    for name in Cap.__slots__:
        found = [getattr(cap, name) for cap in (a, b) if getattr(cap, name) is not None]
        assert getattr(merged, name) == min(found, default=None)


@given(st.data())
def test_lists_of_what_is_allowed_merge_to_what_all_allow(data):
    for kind in (AllowModels, AllowRegions, AllowTools):
        a, b = data.draw(_commuting[kind]), data.draw(_commuting[kind])
        assert a.merge(b).names == a.names & b.names


@given(st.data())
def test_what_is_demanded_is_demanded_still_after_merging(data):
    sanitise = [data.draw(_commuting[Sanitise]) for _ in range(2)]
    assert sanitise[0].merge(sanitise[1]).carriers >= sanitise[0].carriers
    require = [data.draw(_commuting[Require]) for _ in range(2)]
    merged = require[0].merge(require[1])
    assert merged.headers >= require[0].headers
    assert merged.metadata >= require[0].metadata
    assert merged.user >= require[0].user
    notify = [data.draw(_commuting[Notify]) for _ in range(2)]
    assert notify[0].merge(notify[1]).topics >= notify[0].topics


def test_the_strictest_method_is_drop_then_mask_then_hash_then_placeholder():
    for methods in permutations(REDACT_METHODS, 2):
        first, second = (Redact(frozenset("A"), 0.4, name) for name in methods)
        strictest = min(methods, key=("drop", "mask", "hash", "placeholder").index)
        assert first.merge(second).method == strictest


def test_redactions_take_the_union_and_every_kind_takes_all():
    some, other = Redact(frozenset("A"), 0.7, "mask"), Redact(frozenset("B"), 0.4, "mask")
    assert some.merge(other) == Redact(frozenset("AB"), 0.4, "mask")
    assert some.merge(Redact(frozenset(), 0.9, "hash")) == Redact(frozenset(), 0.7, "mask")
    secrets = Redact(None, 0.4, "drop", frozenset({"a"}))
    assert some.merge(secrets) == Redact(frozenset("A"), 0.4, "drop", frozenset({"a"}))
    assert secrets.covers("A", 1.0) is False
    assert some.covers_secret("a", 1.0) is False
    own = Redact(None, 0.9, "hash", custom=frozenset({"PROJECT"}))
    both = Redact(frozenset("A"), 0.7, "mask", custom=frozenset({"PROJECT"}))
    assert some.merge(own) == both
    assert own.merge(Redact(None, 0.9, "hash", custom=frozenset())).custom == frozenset()
    assert (some.covers_custom("PROJECT", 1.0), own.covers("PROJECT", 1.0)) == (False, False)
    assert (own.covers_custom("PROJECT", 0.9), own.covers_custom("PROJECT", 0.8)) == (True, False)
    assert both.detectors == {"pii", "custom"}


def test_prompts_come_once_in_order_and_the_first_default_holds():
    first = AddSystemPrompt(("a", "b")).merge(AddSystemPrompt(("b", "c")))
    assert first.texts == ("a", "b", "c")
    high, low = SetDefault((("top_p", 0.1),)), SetDefault((("temperature", 1.0), ("top_p", 0.9)))
    assert high.merge(low).values == (("temperature", 1.0), ("top_p", 0.1))
    assert (high.value("top_p"), high.value("temperature")) == (0.1, None)


@pytest.mark.parametrize(
    ("obligation", "written", "words"),
    [
        (Redact(frozenset(), 0.4, "mask"), {"kinds": "all", "min_score": 0.4, "method": "mask"},
         "Redact personal data of every kind from score 0.4 on, by mask"),
        (Redact(None, 0.4, "drop", frozenset({"npm_token"}), links=True),
         {"secrets": ["npm_token"], "links": True, "min_score": 0.4, "method": "drop"},
         "Redact npm_token and links from score 0.4 on, by drop"),
        (Redact(None, 0.4, "drop", links=True), {"links": True, "method": "drop"},
         "Redact links, by drop"),
        (Redact(None, 0.4, "drop", frozenset()),
         {"secrets": "all", "min_score": 0.4, "method": "drop"},
         "Redact credentials of every kind from score 0.4 on, by drop"),
        (Redact(None, 0.4, "mask", custom=frozenset({"PROJECT"})),
         {"custom": ["PROJECT"], "min_score": 0.4, "method": "mask"},
         "Redact PROJECT from score 0.4 on, by mask"),
        (Redact(None, 0.4, "drop", frozenset(), custom=frozenset()),
         {"secrets": "all", "custom": "all", "min_score": 0.4, "method": "drop"},
         "Redact credentials of every kind and all that detectors of the tenant find"
         " from score 0.4 on, by drop"),
        (Sanitise(frozenset({"bidi", "unicode_tags"})), ["unicode_tags", "bidi"],
         "Take out text in Unicode tags, controls of writing direction"),
        (Cap(max_output_tokens=2000, n=1), {"max_output_tokens": 2000, "n": 1},
         "Ask for at most 2,000 output tokens; deny more than 1 answers at once"),
        (RouteTo("m"), "m", "Serve it with the model m"),
        (AllowModels(frozenset("ab")), ["a", "b"], "Allow only the models a, b"),
        (AllowRegions(frozenset({"eu"})), ["eu"], "Allow only the regions eu"),
        (AllowTools(frozenset({"t"})), ["t"], "Allow only the tools t"),
        (AddSystemPrompt(("Be kind.",)), "Be kind.", "Put before the system prompt: Be kind."),
        (AddSystemPrompt(("a", "b")), ["a", "b"], "Put before the system prompt: a / b"),
        (SetDefault((("top_p", 0.5),)), {"top_p": 0.5},
         "Where the client left it open, set top_p=0.5"),
        (Tag(frozenset({("a", "x"), ("a", "y"), ("b", "z")})), {"a": ["x", "y"], "b": "z"},
         "Tag the record with a=x and y, b=z"),
        (Notify(frozenset({"legal"})), ["legal"], "Notify legal"),
        (Require(user=True, headers=frozenset({"x-a"}), metadata=frozenset({"team"})),
         {"user": True, "headers": ["x-a"], "metadata": ["team"]},
         "Deny the call without an end user and the header x-a and the tag team"),
        (Require(metadata=frozenset({"team"})), {"metadata": ["team"]},
         "Deny the call without the tag team"),
    ],
)  # fmt: skip
def test_an_obligation_is_written_and_said(obligation, written, words):
    assert obligation.written() == written
    assert in_words(obligation.key, obligation.written()) == words


def test_what_is_not_known_is_said_by_its_name():
    assert in_words("some_later_thing", 5) == "some_later_thing"


def test_a_kind_is_found_among_others():
    assert demand((Cap(1), RouteTo("m")), RouteTo) == RouteTo("m")
    assert demand((Cap(1),), RouteTo) is None
