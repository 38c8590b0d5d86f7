"""Case 21: placeholders are the same for the same value, and only those made are values again."""

import pytest

from policies.detectors.placeholders import Minter, find, salt

KEY = b"k" * 32
MAIL = "a@b.example"


def test_the_same_value_has_the_same_placeholder_and_kinds_count_by_themselves():
    minter = Minter("8c65")
    assert minter.mint("EMAIL_ADDRESS", MAIL) == "[EMAIL_ADDRESS_1_8c65]"
    assert minter.mint("EMAIL_ADDRESS", "b@b.example") == "[EMAIL_ADDRESS_2_8c65]"
    assert minter.mint("US_SSN", MAIL) == "[US_SSN_1_8c65]"
    assert minter.mint("EMAIL_ADDRESS", MAIL) == "[EMAIL_ADDRESS_1_8c65]"


@pytest.mark.parametrize(
    "written",
    [
        "[EMAIL_ADDRESS_1_8c65]",
        "[email_address_1_8C65]",
        "[ EMAIL_ADDRESS_1_8c65 ]",
        "[Email Address 1 8c65]",
    ],
)
def test_other_cases_and_spaces_are_read_as_meant(written):
    minter = Minter("8c65")
    minter.mint("EMAIL_ADDRESS", MAIL)
    text = f"To {written}, yes"
    (one,) = find(text, minter.values())
    assert (text[one.start : one.end], one.value) == (written, MAIL)


@pytest.mark.parametrize(
    "text",
    [
        "[EMAIL_ADDRESS_2_8c65]",
        "[EMAIL_ADDRESS_1_8c66]",
        "EMAIL_ADDRESS_1_8c65",
        "[",
        "array[1]",
        "",
    ],
)
def test_what_was_not_made_stays(text):
    minter = Minter("8c65")
    minter.mint("EMAIL_ADDRESS", MAIL)
    assert list(find(text, minter.values())) == []
    assert list(find("[EMAIL_ADDRESS_1_8c65]", {})) == []


def test_a_salt_is_of_the_conversation_and_the_key():
    one = salt(KEY, "a", [])
    assert one == salt(KEY, "a", ["Hello"])
    assert len({one, salt(KEY, "b", []), salt(b"l" * 32, "a", [])}) == 3
    assert int(one, 16) >= 0
    assert len(one) == 4


def test_a_salt_that_a_text_already_holds_is_not_taken():
    one = salt(KEY, "a", [])
    other = salt(KEY, "a", [f"see [NOTE_1_{one.upper()} ]"])
    assert other != one
    third = salt(KEY, "a", [f"[N_1_{one}]", f"[n 2 {other}]"])
    assert third not in (one, other)
    assert third == salt(KEY, "a", [f"[n 2 {other}]", f"[N_1_{one}]"])
