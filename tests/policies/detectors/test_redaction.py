"""What was found is gone, all of it and nothing else, and is not found again."""

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.finding import Finding, Leaf
from policies.detectors.packs import COUNTRIES
from policies.detectors.redaction import redact
from policies.detectors.scanner import DetectorConfig, Scanner

KEY = b"0123456789abcdef"
METHODS = ("drop", "mask", "hash")
MARKS = re.compile(r"<[A-Z_]+(?:_[a-f][0-9a-f]{7})?>")
TEXT = "Mail maria@example.com or maria@example.com, card 4111 1111 1111 1111, from 10.0.0.1!"


def _finding(kind, start, end, score=0.5):
    return Finding(kind, "pii", score, 0, start, end, "raw")


@pytest.fixture(scope="module")
def scan():
    scanner = Scanner(DetectorConfig(tuple(COUNTRIES), ("DE", "US")))
    return lambda text: scanner.scan([Leaf(text, "", "")], frozenset({"pii"})).findings


findings = st.lists(
    st.builds(
        _finding,
        st.sampled_from(["A", "B"]),
        st.integers(0, 30),
        st.integers(0, 30),
        st.sampled_from([0.4, 0.5, 1.0]),
    ).filter(lambda each: each.start <= each.end),
    max_size=6,
)


@given(st.text("abc xyz-", min_size=30, max_size=30), findings, st.sampled_from(METHODS))
def test_all_that_was_found_goes_and_the_rest_stays(text, found, method):
    covered = {place for each in found for place in range(each.start, each.end)}
    kept = "".join(c for place, c in enumerate(text) if place not in covered)
    out = redact(text, found, method=method, key=KEY)
    if method == "drop":
        assert out.replace(" ", "") == kept.replace(" ", "")
    else:
        assert MARKS.sub("", out) == kept


@given(
    st.text("abc xyz-", min_size=30, max_size=30), findings, st.sampled_from(METHODS), st.randoms()
)
def test_the_order_of_findings_does_not_matter(text, found, method, chance):
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert redact(text, found, method=method, key=KEY) == redact(
        text, shuffled, method=method, key=KEY
    )


def test_of_what_overlaps_the_strongest_gives_its_name():
    text = "0123456789"
    overlapping = [_finding("LOW", 0, 8), _finding("HIGH", 6, 10, 1.0), _finding("LONG", 4, 9)]
    for order in permutations(overlapping):
        assert redact(text, order, method="mask", key=KEY) == "<HIGH>"
    assert (
        redact(text, [_finding("SHORT", 0, 2), _finding("LONG", 1, 9)], method="mask", key=KEY)
        == "<LONG>9"
    )
    assert (
        redact(text, [_finding("FIRST", 0, 4), _finding("SECOND", 2, 6)], method="mask", key=KEY)
        == "<FIRST>6789"
    )


def test_what_only_touches_stays_apart():
    found = [_finding("A", 0, 2), _finding("B", 2, 4)]
    assert redact("abcd", found, method="mask", key=KEY) == "<A><B>"


def test_methods(scan):
    found = scan(TEXT)
    assert redact(TEXT, found, method="drop", key=KEY) == "Mail  or , card , from !"
    assert redact(TEXT, found, method="mask", key=KEY) == (
        "Mail <EMAIL_ADDRESS> or <EMAIL_ADDRESS>, card <CREDIT_CARD>, from <IP_ADDRESS>!"
    )
    hashed = redact(TEXT, found, method="hash", key=KEY)
    first, second, *_ = MARKS.findall(hashed)
    assert first == second
    assert re.fullmatch(r"<EMAIL_ADDRESS_[a-f][0-9a-f]{7}>", first)


def test_a_tag_depends_on_key_kind_and_value():
    def tag(value, kind="A", key=KEY):
        return redact(value, [_finding(kind, 0, len(value))], method="hash", key=key)[-9:-1]

    assert tag("x") == tag("x")
    assert len({tag("x"), tag("y"), tag("x", "B"), tag("x", key=b"another")}) == 4


def test_a_hash_without_a_key_is_refused():
    with pytest.raises(ValueError, match="key"):
        redact("x", [_finding("A", 0, 1)], method="hash", key=b"")


def test_dropping_joins_no_two_words():
    assert (
        redact("41111@a.bc41111", [_finding("A", 5, 10)], method="drop", key=KEY) == "41111 41111"
    )
    assert redact("a@b.c d", [_finding("A", 0, 5)], method="drop", key=KEY) == " d"


SAMPLES = {
    "EMAIL_ADDRESS": "maria@example.com",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89370400440532013000",
    "US_SSN": "536-22-8726",
    "PHONE_NUMBER": "+1 (212) 555-0147",
    "IP_ADDRESS": "2001:db8::1",
    "CRYPTO": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
    "MAC_ADDRESS": "3c:22:fb:7a:11:0e",
    "UK_NHS": "943 476 5919",
    "DE_TAX_ID": "86095742719",
    "ES_NIF": "12345678Z",
    "PL_PESEL": "44051401359",
    "IN_PAN": "ABCPE1234F",
    "FI_PERSONAL_IDENTITY_CODE": "131052-308T",
}
AROUND = ("{}", "it is {} now", "x{}y", "<{}>", "{}@example.com", "+1 {}", "phone {} 12", "ssn:{}-")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", SAMPLES)
def test_what_was_redacted_is_not_found_again(scan, kind, method):
    assert kind in {each.kind for each in scan(SAMPLES[kind])}
    for around in AROUND:
        text = around.format(SAMPLES[kind])
        out = redact(text, scan(text), method=method, key=KEY)
        again = scan(out)
        marks = [mark.span() for mark in MARKS.finditer(out)]
        assert not [
            each for each in again for start, end in marks if each.start < end and start < each.end
        ], (text, out)
        assert redact(out, again, method=method, key=KEY) == out, (text, out)


def test_no_tag_can_be_taken_for_a_number(scan):
    for number in range(400):
        text = f"card {number}"
        out = redact(text, [_finding("CREDIT_CARD", 5, len(text))], method="hash", key=KEY)
        assert scan(out) == ()
