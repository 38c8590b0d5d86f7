"""The fact schema: one table, in which everything fits together."""

import pytest

from policies.pdp.request import (
    DEFAULTS,
    DETECTORS,
    FACTS,
    FINDING_FIELDS,
    SLOTS,
    FindingFact,
    detectors_of,
)

_PYTHON_TYPES = {
    "bool": bool,
    "int": int,
    "double": float,
    "string": str,
    "list<string>": tuple,
    "list<finding>": tuple,
}


def test_slots_and_defaults_follow_the_order_of_the_table():
    assert list(SLOTS) == list(FACTS)
    assert list(SLOTS.values()) == list(range(len(FACTS)))
    assert [fact.default for fact in FACTS.values()] == list(DEFAULTS)


@pytest.mark.parametrize("name", FACTS)
def test_every_default_is_of_the_type_of_its_fact(name):
    assert type(FACTS[name].default) is _PYTHON_TYPES[FACTS[name].type]


@pytest.mark.parametrize("name", FACTS)
def test_facts_of_the_answer_are_those_named_so(name):
    assert (FACTS[name].phase == "answer") == name.startswith("answer.")


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_says_what_it_is(name):
    assert FACTS[name].doc.endswith(".")


def test_a_finding_has_the_fields_of_the_table_and_no_text():
    assert (
        FindingFact._fields
        == tuple(FINDING_FIELDS)
        == (
            "kind",
            "category",
            "score",
            "place",
            "count",
        )
    )


def test_detectors_feed_the_facts_that_are_found_by_them():
    assert FACTS["pii.count"].detectors == {"pii"}
    assert FACTS["answer.secret.kinds"].detectors == {"secrets"}
    assert FACTS["injection.score"].detectors == {"injection"}
    assert FACTS["findings"].detectors == DETECTORS
    assert FACTS["uninspected.count"].detectors == frozenset()
    assert FACTS["call.bytes"].detectors == frozenset()


def test_detectors_of_facts_are_joined_and_can_be_limited_to_a_phase():
    names = ["pii.kinds", "answer.findings", "risk"]
    assert detectors_of(names) == DETECTORS
    assert detectors_of(names, "request") == {"pii"}
    assert detectors_of(names, "answer") == DETECTORS
    assert detectors_of([]) == frozenset()


def test_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        FACTS["risk"] = FACTS["call.n"]
    with pytest.raises(TypeError):
        SLOTS["risk"] = 0
