"""What hides text is taken out, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors import normalise
from policies.detectors.sanitising import removals

ALL = frozenset({"unicode_tags", "zero_width", "bidi", "html_comments"})
TAGS = "".join(chr(0xE0000 + ord(char)) for char in "hidden")
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def clean(text, *carriers):
    pieces, done = [], 0
    for item in removals(text, frozenset(carriers) or ALL):
        assert done <= item.start < item.end <= len(text)
        pieces += [text[done : item.start], item.text]
        done = item.end
    return "".join([*pieces, text[done:]])


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain", "plain"),
        (f"a{TAGS}b", "ab"),
        (f"{ENGLAND}{TAGS}!", "\U0001f3f4!"),
        (f"go {ENGLAND}!", f"go {ENGLAND}!"),
        ("a\ufe01\ufe02\U000e0101b", "ab"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\u200d\u200cb", "ab"),
        ("a\u200db", "ab"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("a\u202eb\u2066c\u200fd", "abcd"),
        ("a <!-- b --> c", "a  c"),
        ("a<!-- b -->c", "a c"),
        ("a<!--\nb\n--!>c", "a c"),
        ("a <!-- no end", "a  no end"),
        ("a <\u200b!-\u200b- b -\u200b-> c", "a  c"),
        (f"a <!-- {TAGS} --> c", "a  c"),
        ("<!-- a --><!-- b -->", ""),
    ],
)  # fmt: skip
def test_what_hides_text_is_taken_out(text, cleaned):
    assert clean(text) == cleaned


def test_only_what_is_asked_for_is_taken_out():
    text = f"a{TAGS}\u200b\u202e<!-- x -->b"
    assert clean(text, "unicode_tags") == "a\u200b\u202e<!-- x -->b"
    assert clean(text, "zero_width") == f"a{TAGS}\u202e<!-- x -->b"
    assert clean(text, "bidi") == f"a{TAGS}\u200b<!-- x -->b"
    assert clean(text, "html_comments") == f"a{TAGS}\u200b\u202e b"


_hostile = st.text(st.sampled_from("ab <!->\u200b\u200d\u202e\U000e0041\ufe01é"), max_size=30)


@given(_hostile)
def test_a_second_time_finds_no_comment_and_no_hidden_text(text):
    cleaned = clean(text)
    assert normalise.tags(cleaned) is None
    assert "<!--" not in cleaned


@given(_hostile, st.sets(st.sampled_from(sorted(ALL)), min_size=1))
def test_each_removal_names_a_carrier_that_was_asked_for(text, carriers):
    assert {item.carrier for item in removals(text, frozenset(carriers))} <= carriers
    assert clean(text, *carriers).isascii() or not text.isascii()
