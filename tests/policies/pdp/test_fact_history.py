"""Which facts each version of the schema has."""

from itertools import pairwise

from policies.pdp.fact_history import ADDED_WITH, facts_of
from policies.pdp.request import FACTS, SCHEMA_VERSION, SCHEMAS


def test_the_newest_version_has_every_fact():
    assert facts_of(SCHEMA_VERSION) == frozenset(FACTS)


def test_each_version_only_added():
    for newer, older in pairwise(SCHEMAS):
        assert facts_of(older) < facts_of(newer)
        assert ADDED_WITH[newer] in facts_of(newer) - facts_of(older)
    assert set(ADDED_WITH) == set(SCHEMAS) - {1}


def test_what_the_first_versions_had():
    assert "pii.count" in facts_of(1)
    assert "secret.count" in facts_of(2) - facts_of(1)
    assert "answer.links" in facts_of(3) - facts_of(2)


def test_an_unknown_version_has_none():
    assert facts_of(0) == facts_of(SCHEMA_VERSION + 1) == frozenset()
