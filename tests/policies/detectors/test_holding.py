"""P8, P15, case 17: whatever the seams, what is let go spells what the whole text becomes,
and nothing less than what is done here would do."""

import random

import pytest

from policies.detectors import holding, links
from policies.detectors.finding import Leaf
from policies.detectors.holding import Hold, Manner
from policies.detectors.redaction import edits
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.policies.detectors.adversary import VALID
from tests.thorough import times

NEEDS = frozenset({"pii", "secrets"})
COUNTRIES = ("AU", "CA", "DE", "GB", "IN", "IT", "US")
WORDS = """
    please write to the office about my order and tell them that we met in spring so they know
    who is it the number was a in on at US DE IT me 12 is 3.5 (x) [1] 2024-01-12 ok, then: so
    phone card social security iban national insurance tax --- ------- — … é naïve straße 字
"""
PROSE = WORDS.split()
SECRETS = (
    "AKIAJQ5CMZLN7KXWB2RT",
    "sk-ant-api03-" + "aB3dE5gH7jK9mN1pQ3sT5vX7zB9dF1hJ3lN5pR7tV9x",
    'password = "hT8x!kQ2mzP0"',
    "Authorization: Bearer q8Zk3Lm0Xv7Tb2Ny5Rw9Ju4",
    "postgres://app:hT8xkQ2mzP0@db.internal/x",
    "aws secret access key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYq9zLmT0uQa",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow IBAAKCAQ\nq9zLm(T0\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow {"
    + "so it goes " * 30
    + "\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEFAASC",
)
LINKS = (
    "https://evil.example/x?q=1",
    "[a b](//evil.example 'my title')",
    '<a class="x y" href="ht\ntps://evil.example">go</a>',
    "<https://evil.example>",
    "java\tscript:alert(1)",
)
PAIRS = ["AB 12 34 56 C", "ab 12 34 56 c", "DE 123 456 788", "\uff21\uff22 12 34 56 C"]
VALUES = [value for line in VALID.split("\n") for value in line.strip().split("|") if value]
VALUES += PAIRS


class Look:
    """Redacts all that is found, as a whole answer's text is redacted."""

    def __init__(self, scanner, *, with_links):
        self.scanner, self.with_links = scanner, with_links

    def may_find(self, text, begin):
        return self.with_links or self.scanner.may_find(text, begin, NEEDS)

    def find(self, text):
        found = list(self.scanner.scan([Leaf(text, "assistant", "")], NEEDS).findings)
        return found + links.findings([text]) if self.with_links else found

    def changes(self, text, found):
        return edits(text, found, method="mask", key=b"")


@pytest.fixture(scope="module")
def scanner():
    return Scanner(DetectorConfig(COUNTRIES, ("US", "GB", "DE")))


@pytest.fixture(params=[False, True], ids=["entities", "links"])
def look(request, scanner):
    return Look(scanner, with_links=request.param)


def whole(look, text):
    """Return what the whole text becomes."""
    return applied(text, look.changes(text, look.find(text)))


def applied(text, changes):
    out, done = [], 0
    for start, end, to in changes:
        out += (text[done:start], to)
        done = end
    return "".join((*out, text[done:]))


def streamed(look, pieces, manner):
    """Return what is let go, piece by piece, of a text that comes in pieces."""
    hold, held, gone = Hold(look, manner), "", []
    for number, piece in enumerate([*pieces, ""]):
        held += piece
        size, changes = hold.feed(piece, final=number == len(pieces))
        gone.append(applied(held[:size], changes))
        held = held[size:]
    assert not held
    return gone


def text_of(chance, *, with_links=False):
    """Return a random text with values of every kind in it, some in disguise or too close."""
    words = [chance.choice(PROSE) for _ in range(chance.randint(5, 120))]
    for _ in range(chance.randint(1, 8)):
        value = chance.choice([*VALUES, *VALUES, *PAIRS, *SECRETS, *(LINKS if with_links else ())])
        if chance.random() < 0.1:
            at = chance.randrange(len(value))
            value = value[:at] + "\u200b" * chance.choice([1, 3, 120]) + value[at:]
        words.insert(chance.randrange(len(words) + 1), value)
    return "".join(word + chance.choice([" ", " ", " ", " ", "\n", ", "]) for word in words)


def cut(text, chance):
    """Cut a text into pieces: single characters, tokens of a model, or longer ones."""
    longest = chance.choice([1, 5, 40, 400])
    pieces, at = [], 0
    while at < len(text):
        size = chance.randint(1, longest)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def differing(look, seeds):
    """Yield the seeds of the random streams that differ from their whole text."""
    manner = Manner(links=look.with_links)
    for seed in seeds:
        chance = random.Random(seed)
        text = text_of(chance, with_links=look.with_links)
        if "".join(streamed(look, cut(text, chance), manner)) != whole(look, text):
            yield seed


def test_case_17_pieces_spell_what_the_whole_text_becomes(look):
    assert list(differing(look, range(times(150)))) == []


@pytest.mark.parametrize("value", [*VALUES, *SECRETS])
def test_p15_every_place_for_a_seam(scanner, value):
    look = Look(scanner, with_links=False)
    text = f"Well: {value} and so on."
    wanted = whole(look, text)
    for at in range(len(text)):
        assert "".join(streamed(look, [text[:at], text[at:]], Manner())) == wanted
    assert "".join(streamed(look, list(text), Manner())) == wanted


@pytest.mark.parametrize("link", LINKS)
def test_a_link_is_never_cut(scanner, link):
    look = Look(scanner, with_links=True)
    text = f"See {link} now."
    assert "".join(streamed(look, list(text), Manner(links=True))) == whole(look, text)


WEAKENED = {
    "no hold-back": ("Hold", "_end", lambda self, text: len(text)),
    "cuts inside tokens": (None, "_token_start", lambda text, position: position),
    "no left context": ("Hold", "_context", lambda self, passed: ""),
    "no reach": (None, "REACH", 6),
    "nothing is hot": (None, "_hot", lambda text, end: None),
    "two letters are nothing": (None, "_PAIR", holding._CUT),
    "findings are cut": (None, "_outside", lambda found, before, limit, *, final: limit),
    "a key ends anywhere": (None, "_closed", lambda text, found, before, limit: limit),
}


@pytest.mark.parametrize("name", WEAKENED)
def test_case_17_less_would_not_do(scanner, monkeypatch, name):
    owner, attribute, instead = WEAKENED[name]
    monkeypatch.setattr(getattr(holding, owner) if owner else holding, attribute, instead)
    assert any(True for _ in differing(Look(scanner, with_links=True), range(400)))


def test_prose_goes_word_by_word(scanner):
    look = Look(scanner, with_links=False)
    gone = streamed(look, ["Hel", "lo ther", "e, I ", "was ", "here."], Manner())
    assert gone == ["", "Hello ", "there, I ", "was ", "", "here."]


def test_a_piece_that_begins_with_its_blank_leaves_as_it_came(scanner):
    look = Look(scanner, with_links=False)
    pieces = ["Hello", " there", ",", " I", " was", "\n\n", "here", "."]
    gone = streamed(look, pieces, Manner())
    assert gone == ["", "Hello", "", " there,", " I", " was\n\n", "", "", "here."]


def test_what_is_found_in_a_piece_with_its_blank_does_not_wait_for_the_next_word(scanner):
    look = Look(scanner, with_links=False)
    gone = streamed(look, [" mail", " a@b.com", " and", " so", " on"], Manner())
    assert gone == ["", " mail ", "<EMAIL_ADDRESS> ", "and", " so", " on"]


@pytest.mark.parametrize("gap", [5, 90, 120, 200])
@pytest.mark.parametrize("number", ["(212) 555-0147", "+1 212 555 0147"])
def test_the_extension_of_a_number_is_taken_out_however_far_away_it_stands(number, gap):
    look = Look(Scanner(DetectorConfig((), ("US",))), with_links=False)
    text = f"call {number}{' ' * gap}ext. 2244 now please"
    for size in (1, 7, 40):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        gone = "".join(streamed(look, pieces, Manner()))
        assert "2244" not in gone
        assert gone.endswith(" now please")


@pytest.mark.parametrize("seed", range(times(40)))
def test_what_may_hold_nothing_is_not_searched_and_holds_nothing(scanner, seed):
    """Asked at every blank, as it is while a text is written; most words of prose hold nothing."""
    chance = random.Random(seed)
    text = text_of(chance)
    found = scanner.scan([Leaf(text, "assistant", "")], NEEDS).findings
    for begin in (match.end() for match in holding._CUT.finditer(text)):
        if not scanner.may_find(text, begin, NEEDS):
            assert [one for one in found if one.start >= begin] == []


@pytest.mark.parametrize("text", ["\ufdfa" * 400, "a\u200bb c", "\uff21 b"])
def test_what_has_another_reading_is_searched(scanner, text):
    assert scanner.may_find(text, len(text) - 1, NEEDS)


def test_a_stream_whose_reading_is_too_large_ends_as_its_whole_text(scanner):
    look = Look(scanner, with_links=False)
    text = "well " + "\ufdfa" * 400
    assert "".join(streamed(look, [text[at : at + 9] for at in range(0, len(text), 9)], Manner()))


def test_prose_is_not_searched_word_by_word(scanner):
    class Counting(Look):
        looks = 0

        def find(self, text):
            self.looks += 1
            return super().find(text)

    look = Counting(scanner, with_links=False)
    text = "So we met the others, and they told us what (as it seems) nobody had known! " * 20
    assert "".join(streamed(look, text.split(" "), Manner())) == text.replace(" ", "")
    words = [f"{word} " for word in text.split()]
    assert "".join(streamed(look, words, Manner())) == "".join(words)
    assert look.looks == 0


def test_a_token_without_an_end_is_held_and_not_cut(scanner):
    look = Look(scanner, with_links=False)
    text = "x" * 6000 + "@example.com and"
    gone = streamed(look, [text[at : at + 7] for at in range(0, len(text), 7)], Manner())
    assert "".join(gone) == "<EMAIL_ADDRESS> and"
    assert "".join(gone[:800]) == ""


def test_a_long_open_finding_is_not_looked_at_with_every_piece(scanner):
    class Counting(Look):
        looks = 0

        def find(self, text):
            self.looks += 1
            return super().find(text)

    look = Counting(scanner, with_links=False)
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkq hkiG9w0\n" * 600
    gone = streamed(look, [key[at : at + 5] for at in range(0, len(key), 5)], Manner())
    assert "".join(gone) == "<private_key>"
    assert look.looks < 200


def test_only_placeholders_hold_no_words():
    class Nothing:
        def may_find(self, text, begin):
            return False

        def find(self, text):
            return ()

        def changes(self, text, found):
            return ()

    gone = streamed(
        Nothing(),
        ["Hi", " the", "re [EMA", "IL] x [", "1]"],
        Manner(entities=False, placeholders=True),
    )
    assert gone == ["Hi", " the", "re ", "[EMAIL] x ", "[1]", ""]
