"""Views undo the tricks of writing, and every character of one knows where it came from."""

import base64
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors import normalise
from policies.detectors.normalise import (
    ViewTooLargeError,
    decoded,
    plain,
    selectors,
    skeleton,
    tags,
)

ODD = (
    "a\u200b\u0301\uff21\ufb01\u00e9\u1100\u1161\u11a8\u0439\uff76\uff9e\u2460\u00ad\ufe0f"
    "\u09c7\u09be \n\U0001d400\u1e9b\u0323"
)


def _tagged(text):
    return "".join(chr(0xE0000 + ord(character)) for character in text)


def _selected(octets):
    return "".join(chr(0xFE00 + each if each < 16 else 0xE0100 + each - 16) for each in octets)


def _sound(view, text):
    assert len(view.starts) == len(view.ends) == len(view.text)
    assert all(
        0 <= start < end <= len(text) for start, end in zip(view.starts, view.ends, strict=True)
    )
    assert list(view.starts) == sorted(view.starts)
    assert list(view.ends) == sorted(view.ends)


@given(st.text(st.characters(codec="ascii")))
def test_ascii_has_no_other_view(text):
    assert plain(text) is skeleton(text) is tags(text) is selectors(text) is None


@given(st.text(st.characters(codec="utf-8")) | st.text(ODD))
def test_plain_is_the_text_without_the_invisible_in_nfkc(text):
    visible = normalise._INVISIBLE.sub("", text)
    view = plain(text)
    if view is None:
        assert unicodedata.normalize("NFKC", visible) == text
    else:
        assert view.text == unicodedata.normalize("NFKC", visible)
        _sound(view, text)


@given(st.text(st.characters(codec="utf-8")) | st.text(ODD))
def test_other_views_know_where_they_came_from(text):
    first = plain(text)
    for view in (skeleton(text), skeleton(first) if first else None, decoded(text)):
        if view is not None and view.name != "decoded":
            _sound(view, text)
    for view in (tags(text), selectors(text)):
        if view is not None:
            _sound(view, text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\uff49\uff47\uff4e\uff4f\uff52\uff45", "ignore"),
        ("ig\u200bno\u00adre", "ignore"),
        ("e\u0301", "\u00e9"),
        ("\u1100\u1161\u11a8", "\uac01"),
        ("\uff76\uff9e", "\u30ac"),
        ("\ufb01ne", "fine"),
        ("\u202eabc\u202c", "abc"),
    ],
)
def test_plain_undoes(text, seen):
    assert plain(text).text == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\u0456gn\u043er\u0435", "ignore"),
        ("\u0399G\u039d\u039fR\u0395", "ignore"),
        ("pr\u00e9c\u00e9dent", "precedent"),
        ("\u026a\u0262\u0274\u1d0f\u0280\u1d07", "ignore"),
        ("\U0001f1ee\U0001f1ec", "ig"),
        ("stra\u00dfe", "strasse"),
    ],
)
def test_skeleton_undoes(text, seen):
    assert skeleton(text).text == seen


def test_a_text_that_looks_like_nothing_else_has_no_skeleton():
    assert skeleton("\u8bf7\u603b\u7ed3 X") is None


def test_a_span_of_a_view_is_the_part_of_the_text_it_came_from():
    text = "x ig\u200bn\u00adore \ufb01ne"
    view = plain(text)
    start = view.text.index("ignore")
    first, last = view.span(start, start + 6)
    assert text[first:last] == "ig\u200bn\u00adore"
    both = skeleton(plain("\u0456\u200b\u0456 \u0456"))
    assert both.text == "ii i"
    assert both.span(0, 2) == (0, 3)
    assert both.span(3, 4) == (4, 5)


def test_what_joins_across_clusters_is_taken_as_a_whole():
    text = "\u09c7\u09be\uff21"  # a vowel sign in two parts, of which neither is a combining mark
    view = plain(text)
    assert view.text == unicodedata.normalize("NFKC", text)
    assert view.span(0, 1) == (0, 3)


def test_tags_are_read_and_flags_are_not():
    flag = "\U0001f3f4" + _tagged("gbsct") + "\U000e007f"
    assert tags(f"hello {flag}") is None
    view = tags(f"hello {flag} {_tagged('drop it')}")
    assert view.text == "drop it"
    assert tags("\U0001f3f4" + _tagged("gbxyz") + "\U000e007f").text == "gbxyz"


def test_bytes_in_variation_selectors_are_read():
    view = selectors("x\ufe0f \U0001f600" + _selected("h\u00e9!".encode()))
    assert view.text == "h\u00e9!"
    assert selectors("\u2764\ufe0f and \u2600\ufe0e") is None


@given(
    st.text(
        st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), min_size=20, max_size=80
    )
)
def test_base64_is_read(text):
    for letters in (base64.b64encode(text.encode()), base64.urlsafe_b64encode(text.encode())):
        sent = f"take {letters.decode()} please"
        assert text in decoded(sent).text


def test_base64_in_lines_without_padding_is_read():
    text = "a sentence long enough to be broken into several lines of encoded text, twice over" * 2
    letters = base64.encodebytes(text.encode()).decode().rstrip("=\n")
    view = decoded(f"see:\n{letters}")
    assert text[:-2] in view.text
    assert view.span(0, 10) == (5, 5 + len(letters))


@given(st.text(min_size=1, max_size=40))
def test_percent_escapes_are_read(text):
    sent = quote(text, safe="")
    view = decoded(sent)
    if "%" in sent:
        assert text in view.text
        _sound(view, sent)


@pytest.mark.parametrize("text", ["", "100% sure", "internationalisation of things", "x" * 15])
def test_where_nothing_is_encoded_nothing_is_decoded(text):
    assert decoded(text) is None


def test_bytes_that_are_no_text_are_not_decoded():
    assert decoded(base64.b64encode(bytes(range(128, 200))).decode()) is None


def test_a_text_that_grows_too_much_is_refused():
    assert len(plain("\ufdfa").text) == 18
    with pytest.raises(ViewTooLargeError):
        plain("\ufdfa" * 100)
