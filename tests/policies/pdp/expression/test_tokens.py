"""Tokens have kind, text and offset; what is no token is refused at its offset."""

import pytest

from policies.pdp.expression.tokens import LENGTH_MAX, ExpressionError, tokenize


def _short(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokenize(text)]


def test_tokens_of_every_kind():
    text = "a_1.b>=1&&!(c in [1.5,'x',\"y\"])||-2e3==1e-05"
    assert _short(text) == [
        ("word", "a_1"),
        ("sign", "."),
        ("word", "b"),
        ("sign", ">="),
        ("int", "1"),
        ("sign", "&&"),
        ("sign", "!"),
        ("sign", "("),
        ("word", "c"),
        ("word", "in"),
        ("sign", "["),
        ("double", "1.5"),
        ("sign", ","),
        ("string", "x"),
        ("sign", ","),
        ("string", "y"),
        ("sign", "]"),
        ("sign", ")"),
        ("sign", "||"),
        ("sign", "-"),
        ("double", "2e3"),
        ("sign", "=="),
        ("double", "1e-05"),
        ("end", ""),
    ]


def test_offsets_are_those_of_the_text():
    assert [token.at for token in tokenize(' a\n== "x" ')] == [1, 3, 6, 10]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r'"a\n\r\t\\\"\'b"', "a\n\r\t\\\"'b"),
        (r"'\u00e9\U0001F600'", "é😀"),
        (r'"\\n"', "\\n"),
        ('"a\tb"', "a\tb"),
        ("'é😀'", "é😀"),
        ("''", ""),
    ],
)
def test_escapes_in_strings(written, text):
    assert tokenize(written)[0].text == text


@pytest.mark.parametrize(
    ("text", "offset", "words", "hint"),
    [
        ("a = 1", 2, "single =", "write =="),
        ("a & b", 2, "single &", "write &&"),
        ("a | b", 2, "single |", "write ||"),
        ("a // b", 2, "no comments", "after a #"),
        ("a ? b", 2, "no a ? b : c", "two rules"),
        ("a + 1", 2, "arithmetic", "constant"),
        ("a * 1", 2, "arithmetic", "constant"),
        ("a % 1", 2, "arithmetic", "constant"),
        ('a == "b', 5, "string does not end", 'with "'),
        ("a == 'b\\'", 5, "string does not end", "with '"),
        ('"a\nb"', 0, "string does not end", ""),
        ("a @ b", 2, "unexpected character '@'", ""),
        ("é", 0, "unexpected character 'é'", ""),
        ("a == 1.", 5, "no number", "12.5"),
        ("a == 1.2.3", 5, "no number", ""),
        ("a == 0x1F", 5, "no number", ""),
        ("a == 10u", 5, "no number", ""),
        ("a == 1_000", 5, "no number", ""),
        ("a == 1e5x", 5, "no number", ""),
        (r'a == "x\q"', 7, "unknown escape \\q", "known are"),
        (r'a == "x\u12"', 7, "unknown escape \\u", ""),
        (r'a == "\ud800"', 6, "names no allowed character", ""),
        ('a.matches("\ud800")', 11, "lone surrogates", ""),
        ("a == '\0'", 6, "U+0000", ""),
        (r'a == "\u0000"', 6, "names no allowed character", ""),
        (r'a == "\U00110000"', 6, "names no allowed character", ""),
    ],
)
def test_what_is_no_token_is_refused_at_its_offset(text, offset, words, hint):
    with pytest.raises(ExpressionError) as caught:
        tokenize(text)
    assert caught.value.offset == offset
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_the_length_is_bounded():
    assert len(tokenize(" " * LENGTH_MAX)) == 1
    with pytest.raises(ExpressionError, match="longer than"):
        tokenize(" " * (LENGTH_MAX + 1))
    assert len(tokenize(" " * (LENGTH_MAX + 1), LENGTH_MAX + 1)) == 1
