"""A gate may say too much, never too little: what it leaves out cannot match."""

import pytest

from policies.detectors import gate as gates
from policies.detectors.gate import Gate, Sieve, Unsieved
from policies.detectors.patterns import Wide, widened

PATTERNS = [widened(pattern, 0) for pattern in (r"\bcat\b", r"\d{3}", "[x-z]+q")]


def test_a_gate_names_the_patterns_that_match():
    gate = Gate(PATTERNS)
    assert gate.hits("nothing here") == frozenset()
    assert gate.hits("a cat") == {0}
    assert gate.hits("123 xyzq") == {1, 2}
    assert gate.hits("caf\u00e9 cat \u0661\u0662\u0663") == {0, 1}


def test_what_has_no_pattern_always_counts():
    gate = Gate([None, *PATTERNS, None])
    assert gate.hits("nothing here") == {0, 4}
    assert gate.hits("a cat") == {0, 1, 4}


def test_text_that_has_no_utf8_counts_for_everything():
    assert Gate(PATTERNS).hits("cat \ud800") == {0, 1, 2}


def test_patterns_are_parted_into_small_sets():
    gate = Gate(PATTERNS * 4, together=5)
    assert len(gate._ascii) == 3
    assert gate.hits("a cat") == {0, 3, 6, 9}


def test_case_23_re2_set_fails_open(monkeypatch):
    """A Set that fails returns an empty list; without the sentinel that means: run everything."""
    gate = Gate(PATTERNS)
    for answer in ([], None):
        monkeypatch.setattr(gate._ascii[0], "_match", lambda text, answer=answer: answer)
        assert gate.hits("nothing here") == {0, 1, 2}


def test_case_23_sets_are_split_until_each_fits():
    wide = [Wide(f"(?:[a-z]{{1,30}}{digit}){{1,5}}", "") for digit in range(10)]
    wide = [each._replace(unicode=each.ascii) for each in wide]
    memory = 200_000
    whole = gates._sieve([(index, each.ascii) for index, each in enumerate(wide)], memory)
    assert whole is None or not whole.works()
    gate = Gate(wide, together=10, memory=memory)
    assert len(gate._ascii) > 1
    for digit in range(10):
        assert digit in gate.hits(f"some word{digit} here")


def test_case_23_a_pattern_too_large_for_any_set_always_counts():
    wide = Wide("(?:[a-z]{1,200}0){1,4}", "(?:[a-z]{1,200}0){1,4}")
    gate = Gate([wide, PATTERNS[0]], memory=20_000)
    assert any(isinstance(sieve, Unsieved) for sieve in gate._ascii)
    assert 0 in gate.hits("nothing here")


def test_case_23_a_sieve_knows_whether_it_works(monkeypatch):
    sieve = Sieve([(7, "cat")], 1 << 20)
    assert sieve.works()
    assert list(sieve.hits(b"cat")) == [7]
    assert list(sieve.hits(b"dog")) == []
    monkeypatch.setattr(sieve, "_match", lambda text: [1])
    assert not sieve.works()
    assert list(sieve.hits(b"dog")) == [7]


@pytest.mark.parametrize("text", ["", "\0", "\0cat\0", "cat" * 1000])
def test_any_text_gets_an_answer(text):
    assert Gate(PATTERNS).hits(text) <= {0, 1, 2}
