"""What constraints mean, in words."""

from gateway.constraints import CONSTRAINTS, in_words


def test_a_constraint_is_said_in_words_and_a_sentence_stays():
    assert (
        in_words("Constraint \u201ctenant_name_once\u201d is violated.")
        == (CONSTRAINTS["tenant_name_once"])
    )
    assert in_words("It is too long.") == "It is too long."
