import hmac
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import keys
from tenants.keys import ALPHABET, LENGTH, RANDOM_BYTES, KeyPepper

PEPPER = KeyPepper(b"t" * 32, b"d" * 32)
OTHER = KeyPepper(b"u" * 32, b"e" * 32)
FORM = re.compile(r"gth_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}")

randomness = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
character = st.sampled_from(ALPHABET)


def base62(number):
    digits = ""
    while number:
        number, index = divmod(number, 62)
        digits = ALPHABET[index] + digits
    return digits.rjust(6, "0")


@given(randomness)
def test_an_issued_key_has_the_published_form(some):
    issued = keys.issue(some, PEPPER)
    assert FORM.fullmatch(issued.secret)
    assert len(issued.secret) == LENGTH
    assert issued.secret.split("_")[1] == issued.public_id


@given(randomness)
def test_the_check_is_the_crc_of_all_before_it(some):
    head, _, check = keys.issue(some, PEPPER).secret.rpartition("_")
    assert check == base62(zlib.crc32(head.encode()))


@given(randomness)
def test_an_issued_key_is_recognised(some):
    issued = keys.issue(some, PEPPER)
    assert keys.public_id(issued.secret, PEPPER) == issued.public_id
    assert keys.digest(issued.secret, PEPPER) == issued.digest


@given(randomness, st.integers(0, LENGTH - 1), character)
def test_a_mistyped_character_is_noticed_without_a_look_up(some, place, replacement):
    secret = keys.issue(some, PEPPER).secret
    mistyped = secret[:place] + replacement + secret[place + 1 :]
    assert keys.public_id(mistyped, PEPPER) is None or mistyped == secret


@given(randomness, st.text(ALPHABET, min_size=3, max_size=3))
def test_case_19_a_right_checksum_with_a_guessed_tag_does_not_pass(some, guess):
    secret = keys.issue(some, PEPPER).secret
    head = secret[:11] + guess + secret[14:-7]
    forged = f"{head}_{keys.checksum(head)}"
    assert (keys.public_id(forged, PEPPER) is None) == (forged != secret)


def test_a_digest_is_the_hmac_of_the_whole_key():
    secret = keys.issue(bytes(range(keys.RANDOM_BYTES)), PEPPER).secret
    assert keys.digest(secret, PEPPER) == hmac.digest(PEPPER.digest, secret.encode(), "sha256")


@given(randomness)
def test_another_installation_knows_neither_key_nor_digest(some):
    issued = keys.issue(some, PEPPER)
    assert keys.digest(issued.secret, OTHER) != issued.digest
    recognised = keys.public_id(issued.secret, OTHER)
    assert recognised is None or keys.issue(some, OTHER).public_id == issued.public_id


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "sk-proj-abc",
        "gth_" + "a" * 60,
        "gth_aaaaaaaaaa_" + "b" * 43 + "_" + "ü" * 6,
        "gth-aaaaaaaaaa-" + "b" * 43 + "-cccccc",
        "gtx_aaaaaaaaaa_" + "b" * 43 + "_cccccc",
        "gth_aaaaaaaaa!_" + "b" * 43 + "_cccccc",
        "gth_aaaaaaaaaa_" + "b" * 42 + "__cccccc"[:8],
    ],
)
def test_what_has_another_form_is_nobodys(presented):
    assert keys.public_id(presented, PEPPER) is None


def test_a_key_does_not_show_itself():
    issued = keys.issue(bytes(range(64)), PEPPER)
    assert issued.secret not in repr(issued)
    assert issued.public_id in repr(issued)


def test_too_little_randomness_makes_no_key():
    with pytest.raises(ValueError, match="takes 64 random bytes, got 63"):
        keys.issue(bytes(63), PEPPER)


def test_a_secret_that_is_not_ascii_has_a_digest_that_nobody_has():
    issued = keys.issue(bytes(range(64)), PEPPER)
    assert keys.digest(issued.secret + "é", PEPPER) != issued.digest
