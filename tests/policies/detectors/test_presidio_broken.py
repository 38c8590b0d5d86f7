"""Scanners broken on purpose, one place each: the comparison with the stock engine notices all."""

import pytest
import regex

from policies.detectors import context, patterns, phones, presidio
from policies.detectors.gate import Gate, Sieve
from policies.detectors.presidio import Presidio
from tests.policies.detectors.comparison import EVERY, differs, found, sample


def test_the_unbroken_scanner_has_no_differences():
    assert not differs(Presidio(EVERY, ("DE", "US")))


def _no_nine(monkeypatch):
    monkeypatch.setitem(patterns._ASCII_CLASS, "CATEGORY_DIGIT", "0-8")


def _digits_of_ascii(monkeypatch):
    monkeypatch.setattr(patterns, "unicode_class", lambda escape: "0-9" if "d" in escape else r"\s")


def _i_is_only_i(monkeypatch):
    monkeypatch.setattr(
        patterns, "_folded_span", lambda low, high: f"\\x{{{low:x}}}-\\x{{{high:x}}}"
    )


def _closed_counts(monkeypatch):
    def repeat(self, low, high, body):
        return f"(?:{self.emit(body)}){{{min(low, 8)},{min(high, 8)}}}"

    monkeypatch.setattr(patterns._AsciiWidener, "repeat", repeat)


def _always_something_before(monkeypatch):
    whole = patterns._AsciiWidener.start
    monkeypatch.setattr(
        patterns._AsciiWidener, "start", lambda self, tree: whole(self, tree).replace(r"\A|", "")
    )


def _only_one_hit(monkeypatch):
    whole = Sieve.hits
    monkeypatch.setattr(Sieve, "hits", lambda self, encoded: list(whole(self, encoded))[:1])


def _whole_context_words(monkeypatch):
    whole = presidio.any_word

    def bordered(words):
        wide = whole(words)
        return patterns.Wide(rf"\b(?:{wide.ascii})\b", rf"\b(?:{wide.unicode})\b")

    monkeypatch.setattr(presidio, "any_word", bordered)


def _narrow_window(monkeypatch):
    monkeypatch.setattr(context, "_BEFORE", 4)


def _no_stop_words(monkeypatch):
    monkeypatch.setattr(context, "STOP_WORDS", frozenset())


def _blank_shadow(monkeypatch):
    monkeypatch.setattr(presidio, "shadow", lambda text: regex.sub(r"[^\x00-\x7f]", " ", text))


def _longer_numbers(monkeypatch):
    whole = phones._fewest_digits
    monkeypatch.setattr(phones, "_fewest_digits", lambda metadata: whole(metadata) + 3)


def _no_extensions(monkeypatch):
    monkeypatch.setattr(phones, "_EXTN_PATTERNS_FOR_MATCHING", "(?!)")


def _all_is_kept(monkeypatch):
    monkeypatch.setattr(presidio, "without_covered", lambda entities: sorted(set(entities)))


def _never_weak(monkeypatch):
    monkeypatch.setattr(presidio.Ready, "find", _find_without_weak)


def _find_without_weak(self, text, hits, supported):
    called = [
        rule for index, rule in enumerate(self.rules, self.first) if index in hits and not rule.weak
    ]
    found = presidio._matched(self.recognizer, called, text)
    return presidio._in_context(text, found, self.context if supported else None)


@pytest.mark.parametrize(
    "broken",
    [
        _no_nine,
        _digits_of_ascii,
        _i_is_only_i,
        _closed_counts,
        _always_something_before,
        _only_one_hit,
        _whole_context_words,
        _narrow_window,
        _no_stop_words,
        _blank_shadow,
        _longer_numbers,
        _all_is_kept,
        _never_weak,
    ],
)
def test_a_broken_scanner_is_noticed(broken, monkeypatch):
    broken(monkeypatch)
    assert differs(Presidio(EVERY, ("DE", "US")))


def test_a_walk_that_forgets_extensions_is_noticed(monkeypatch):
    text = "call 4 # 250.\uff1250.239.253 9/X8.1 X1X: ok"
    whole = phones.Phones(["US"]).spans(text)
    _no_extensions(monkeypatch)
    assert whole != phones.Phones(["US"]).spans(text)


def test_a_gate_forced_open_changes_no_finding():
    scanner = Presidio(EVERY, ("DE", "US"))
    scanner.gate = Gate([None] * len(scanner.gate._all))
    scanner._words = Gate([None] * len(scanner._words._all))
    for text, wanted in sample(400)[:120]:
        assert found(scanner, text) == wanted
