"""P8, P15, case 17 for what tenants look for themselves: words in phrases and patterns over blanks
are held by their length, whatever the seams; less would not do."""

import random

import pytest

from policies.detectors import holding
from policies.detectors.custom import CustomDetector
from policies.detectors.finding import Leaf
from policies.detectors.holding import Hold, Manner
from policies.detectors.redaction import edits
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.policies.detectors.test_holding import applied, cut, streamed, whole

NEEDS = frozenset({"custom"})
OWN = (
    CustomDetector("PROJECT", words=("Bluebird", "Red Kite", "big red kite over the bay")),
    CustomDetector("NUMBER", patterns=(r"\bCN \d{4} \d{4}\b", r"^id: \w{1,9}$")),
    CustomDetector("PART", patterns=(r"begin[\s\S]*?end",), max_length=60),
    CustomDetector("HOST", patterns=(r"[\w.-]+@corp",), max_length=300),
)
VALUES = (
    "Bluebird", "Red Kite", "red\nkite", "big red kite over the bay", "CN 1234 5678", "\nid: abc\n",
    "begin of it and its end", "begin " + "so it goes " * 8 + "end", "a.b@corp", "Red K\u200bite",
    "Red" + "\u200b" * 90 + " Kite", "\uff32ed Kite", "CN 1234 56789",
)  # fmt: skip
TEXT = "red big kite CN 1234 begin end the over bay id: it so, bluebirds é — corp @corp"
WORDS = TEXT.split()


class Look:
    """Redacts all that is found, as a whole answer's text is redacted."""

    def __init__(self):
        self.scanner = Scanner(DetectorConfig(custom=OWN))

    def may_find(self, text, begin):
        return self.scanner.may_find(text, begin, NEEDS)

    def find(self, text):
        return self.scanner.scan([Leaf(text, "assistant", "")], NEEDS).findings

    def changes(self, text, found):
        return edits(text, found, method="mask", key=b"")


@pytest.fixture(scope="module")
def look():
    return Look()


def text_of(chance):
    words = [chance.choice([*WORDS, *VALUES]) for _ in range(chance.randint(3, 80))]
    return "".join(word + chance.choice([" ", " ", " ", "\n", "  ", ", "]) for word in words)


def differing(look, seeds, reach):
    """Yield the seeds of the random streams that differ from their whole text."""
    for seed in seeds:
        chance = random.Random(seed)
        text = text_of(chance)
        if "".join(streamed(look, cut(text, chance), Manner(reach=reach))) != whole(look, text):
            yield seed


def test_case_17_pieces_spell_what_the_whole_text_becomes(look):
    assert look.scanner.reach == 60
    assert list(differing(look, range(60), look.scanner.reach)) == []


@pytest.mark.parametrize("value", VALUES)
def test_p15_every_place_for_a_seam(look, value):
    text = f"Well: {value} and so on, as it was."
    wanted, manner = whole(look, text), Manner(reach=look.scanner.reach)
    for at in range(len(text)):
        assert "".join(streamed(look, [text[:at], text[at:]], manner)) == wanted
    assert "".join(streamed(look, list(text), manner)) == wanted


WEAKENED = {
    "nothing is held for phrases": (None, "_reaching", lambda text, reach: len(text)),
    "half of the reach": (None, "_reaching", lambda text, reach: max(0, len(text) - reach // 2)),
    "findings are cut": (None, "_outside", lambda found, before, limit, *, final: limit),
    "no left context": ("Hold", "_context", lambda self, passed: ""),
}


@pytest.mark.parametrize("name", WEAKENED)
def test_case_17_less_would_not_do(look, monkeypatch, name):
    owner, attribute, instead = WEAKENED[name]
    monkeypatch.setattr(getattr(holding, owner) if owner else holding, attribute, instead)
    assert any(True for _ in differing(look, range(300), look.scanner.reach))


def test_invisible_characters_are_not_counted(look):
    text = "Well: big red" + "\u200b" * 200 + " kite over the bay."
    hold, out, held = Hold(look, Manner(reach=look.scanner.reach)), "", ""
    for number, piece in enumerate([*text, ""]):
        held += piece
        size, changes = hold.feed(piece, final=number == len(text))
        out, held = out + applied(held[:size], changes), held[size:]
    assert out == "Well: <PROJECT>."


def test_without_phrases_words_go_as_they_come():
    look = Look()
    look.scanner = Scanner(DetectorConfig(custom=OWN[3:]))
    assert look.scanner.reach == 0
    gone = streamed(look, ["Hel", "lo ther", "e, I ", "was a@co", "rp here."], Manner())
    assert gone == ["", "Hello ", "there, I ", "was ", "<HOST> ", "here."]
