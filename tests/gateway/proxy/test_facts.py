"""What becomes a fact, and so stays for ever: names are kept, anybody's own words are not."""

import pytest

from gateway.proxy.facts import plain_name


@pytest.mark.parametrize("name", ["seed", "messages.content.cache_control", "tool-choice", "_x1"])
def test_a_name_stays_a_name(name):
    assert plain_name(name) == name


@pytest.mark.parametrize(
    "words", ["ann@example.com", "my card is 4111", "x" * 65, "9lives", "caf\u00e9", "a\nb"]
)
def test_words_in_the_place_of_a_name_are_not_kept(words):
    assert plain_name(words) == "other"


def test_nothing_stays_nothing():
    assert plain_name("") == ""
