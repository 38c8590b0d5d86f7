"""Credentials of several parts, and texts that must show none of them."""

from gateway.providers.credential import concealed

SECRET = '{"id": "short", "key": "canary-key-1", "more": "canary-key-12"}'


def test_no_part_of_a_credential_is_shown():
    said = f"bad {SECRET}, or canary-key-12, or canary-key-1; it is short"
    assert concealed(said, SECRET) == "bad ***, or ***, or ***; it is short"


def test_a_plain_secret_and_a_token_are_not_shown():
    assert concealed("no sk-1 here", "sk-1") == "no *** here"
    assert concealed("abcdefgh is Bearer abcdefgh", "Bearer abcdefgh") == "*** is ***"
    assert concealed("as it is", None) == "as it is"
    assert concealed("{broken", "{broke") == "***n"
