"""Our scanner finds what Presidio's engine finds over the same recognizers."""

import dataclasses
import os

import pytest
import regex

from policies.detectors import presidio
from policies.detectors.gate import Gate
from policies.detectors.presidio import Entity, Presidio, shadow, without_covered
from policies.detectors.recognizers import recognizers
from tests.policies.detectors.adversary import Adversary
from tests.policies.detectors.comparison import EVERY, adversary, expected, found, stock
from tests.thorough import times

CONFIGS = {
    "plain": ((), (), 600),
    "us": (("US",), ("US", "GB"), 800),
    "odd phones": ((), ("AR", "BS", "DE", "IT", "JP", "KR", "RU"), 400),
    "every country": (EVERY, ("BR", "CA", "DE", "FR", "GB", "IL", "IN", "US"), 500),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_findings_are_those_of_the_stock_engine(name):
    countries, regions, count = CONFIGS[name]
    made, engine = stock(countries, regions)
    maker = adversary(int(os.environ.get("GATEHOUSE_TEST_SEED", "1")), made)
    scanner = Presidio(countries, regions)
    kinds = set()
    for _ in range(times(count)):
        text = maker.text()
        seen = found(scanner, text)
        assert seen == expected(engine, text), repr(text)
        if isinstance(seen, list):
            kinds.update(entity[0] for entity in seen)
    assert len(kinds) >= 0.8 * len(scanner.kinds)


def test_the_gate_opens_for_every_pattern_that_matches():
    """For each pattern of each recognizer, on texts made from it."""
    for recognizer in recognizers(EVERY):
        for pattern, _ in recognizer.patterns:
            gate = Gate([presidio._wide(pattern, recognizer.flags)])
            program = regex.compile(pattern, recognizer.flags)
            maker = Adversary(3, [([pattern], ["number"])])
            matched = 0
            for _ in range(400):
                text = maker.text()
                if program.search(text):
                    matched += 1
                    assert gate.hits(text), (recognizer.kind, pattern, text)
                if matched >= 25:
                    break
            assert matched, (recognizer.kind, pattern)


def test_no_pattern_is_left_without_a_gate():
    for recognizer in recognizers(EVERY):
        for pattern, _ in recognizer.patterns:
            assert presidio._wide(pattern, recognizer.flags) is not None


def test_prose_calls_no_recognizer_at_all():
    text = "The team met on Tuesday, spoke of nothing in particular, and went home. " * 20
    scanner = Presidio(EVERY, ("DE", "US"))
    assert scanner.gate.hits(text) == frozenset()


@pytest.mark.parametrize("countries", [(), ("US",), ("DE", "GB", "IN"), ("IT",), EVERY])
def test_letters_alone_hold_nothing_where_the_gate_is_not_asked(countries):
    scanner = Presidio(countries, ("DE", "US"))
    maker = adversary(5, stock(countries, ())[0])
    keep = frozenset(presidio._LETTERS)
    asked = 0
    for _ in range(times(200)):
        text = "".join(character for character in maker.text() if character in keep)
        asked += scanner.may_find(text)
        assert scanner.may_find(text) or scanner.find(text) == []
    assert asked == 0 or "IT" in countries


def test_an_identifier_of_letters_alone_is_let_through_to_its_pattern():
    """Italy writes letters for the digits of a tax code where two people would have the same."""
    assert Presidio(("IT",), ()).may_find("RSSMRALRTMLARSNH")
    assert not Presidio(("DE",), ()).may_find("RSSMRALRTMLARSNH")


def test_a_shadow_has_words_where_the_text_has_them():
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    made = shadow(everything)
    assert len(made) == len(everything)
    assert made.isascii()
    assert made[:128] == everything[:128]
    words = [match.start() for match in regex.finditer(r"\w", everything[128:])]
    assert [match.start() for match in regex.finditer("a", made[128:])] == words


def test_what_is_covered_is_dropped_only_by_its_own_kind_and_an_equal_score():
    entities = [
        Entity("A", 0.5, 0, 10),
        Entity("A", 0.4, 2, 5),
        Entity("A", 0.6, 3, 6),
        Entity("B", 0.1, 2, 5),
        Entity("A", 0.5, 8, 12),
    ]
    assert set(without_covered(entities)) == set(entities) - {entities[1]}


def test_context_raises_and_its_absence_hides():
    scanner = Presidio((), ())
    (entity,) = scanner.find("her ssn is 536228726")
    assert (entity.kind, entity.score) == ("US_SSN", pytest.approx(0.4))
    assert scanner.find("order 536228726 was shipped") == []


def test_the_order_is_that_of_the_text():
    found = Presidio((), ()).find("a@b.com 4111111111111111 c@d.com 10.0.0.1")
    assert [entity.kind for entity in found] == [
        "EMAIL_ADDRESS", "CREDIT_CARD", "EMAIL_ADDRESS", "IP_ADDRESS",
    ]  # fmt: skip


def test_a_pattern_that_takes_too_long_raises():
    rule = presidio.Rule(
        score=0.5, weak=False, pattern=regex.compile("(a|aa)+$"), fast=None, shadowed=False
    )
    with pytest.raises(TimeoutError):
        list(rule.matches("a" * 5000 + "b"))


BENIGN = (
    "std::vector<int> v; v.push_back(42); // 2024-01-01 12:30:00",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b by the build of 1718036482",
    "id=550e8400-e29b-41d4-a716-446655440000 took 1834 ms, status 200",
    "Total revenue was 1,240,500 with a margin of 17.5%, compared with 1,105,230.",
    "INC0012345 was closed; see v1.2.3.4567 of the policy, page 211-227 (2003).",
    "main :: IO () -- no address here",
    "The customer 123456789 focused on the status of the campus.",
    "using business class since 123456789",
)


@pytest.mark.parametrize("text", BENIGN)
def test_ordinary_texts_hold_no_personal_data(text):
    assert Presidio(("US",), ("US",)).find(text) == []


def test_a_rule_is_plain_data():
    rule = Presidio((), ())._ready[0].rules[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.score = 1.0
