"""What a guard sees that is to see no personal data, and where its findings then are."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.masking import masked, unmasked
from policies.detectors.finding import Finding, Leaf

TEXT = "Ask ann@example.com about Bluebird, or bob@example.com."
MAILS = [
    Finding("EMAIL_ADDRESS", "pii", 1.0, 0, 4, 19, "raw"),
    Finding("EMAIL_ADDRESS", "pii", 1.0, 0, 39, 54, "raw"),
]


def leaf(text):
    return Leaf(text, "user", "messages[0].content")


def custom(start, end):
    return Finding("PROJECT_NAME", "custom", 0.9, 0, start, end, "raw")


def test_what_was_found_is_masked():
    (seen,) = masked([leaf(TEXT)], MAILS)
    assert seen.leaf == leaf("Ask <EMAIL_ADDRESS> about Bluebird, or <EMAIL_ADDRESS>.")


def test_what_is_uncertain_or_no_personal_data_stays():
    found = [MAILS[0]._replace(score=0.39), custom(26, 34)]
    assert masked([leaf(TEXT)], found)[0].leaf == leaf(TEXT)


def test_places_are_brought_back():
    (seen,) = masked([leaf(TEXT)], MAILS)
    at = seen.leaf.text.index("Bluebird")
    found = unmasked(custom(at, at + 8), seen)
    assert TEXT[found.start : found.end] == "Bluebird"
    behind = unmasked(custom(len(seen.leaf.text) - 1, len(seen.leaf.text)), seen)
    assert TEXT[behind.start : behind.end] == "."


def test_a_place_in_a_mask_is_all_that_it_hides():
    (seen,) = masked([leaf(TEXT)], MAILS)
    at = seen.leaf.text.index("EMAIL")
    found = unmasked(custom(at, at + 3), seen)
    assert TEXT[found.start : found.end] == "ann@example.com"
    across = unmasked(custom(0, at), seen)
    assert TEXT[across.start : across.end] == "Ask ann@example.com"


@given(st.data())
def test_what_lies_beside_masks_is_found_again(data):
    length = data.draw(st.integers(1, 60))
    text = "".join(chr(ord("a") + place % 26) for place in range(length))
    cuts = sorted(data.draw(st.sets(st.integers(0, length), max_size=6)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    found = [Finding("IBAN_CODE", "pii", 1.0, 0, start, end, "raw") for start, end in spans]
    (seen,) = masked([leaf(text)], found)
    start = data.draw(st.integers(0, len(seen.leaf.text) - 1))
    end = data.draw(st.integers(start + 1, len(seen.leaf.text)))
    back = unmasked(custom(start, end), seen)
    assert 0 <= back.start < back.end <= length
    shown = seen.leaf.text[start:end]
    if "<" not in shown and ">" not in shown and shown.islower():
        assert text[back.start : back.end] == shown
