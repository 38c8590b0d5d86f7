"""What a model of names says of a text, as findings in the text that was sent."""

import pytest

from policies.detectors import ner
from policies.detectors.finding import Finding, Leaf
from policies.pdp.request import NAMED
from tenants.models import Tenant

MOST = 20_000


def asked(text):
    (question,) = ner.questions([Leaf(text, "user", "messages.0")], MOST)
    return question


def test_a_plain_text_is_asked_once_and_its_places_are_its_own():
    question = asked("Ask Maria Rossi.")
    assert question.texts == ("Ask Maria Rossi.",)
    (found,) = ner.findings(question, [[("PERSON", 0.85, 4, 15)]])
    assert found == Finding("PERSON", "pii", 0.85, 0, 4, 15, "raw")


def test_beyond_ascii_places_count_characters():
    text = "\U0001f600 \u201cZo\u00eb\u201d lives in Z\u00fcrich"
    start = text.index("Z\u00fcrich")
    (found,) = ner.findings(asked(text), [[("LOCATION", 0.9, start, start + 6)]])
    assert text[found.start : found.end] == "Z\u00fcrich"


def test_a_disguised_text_is_asked_without_its_disguise_and_found_at_its_place():
    text = "Ask M\u200bar\u200bia now."
    question = asked(text)
    assert question.texts == (text, "Ask Maria now.")
    (found,) = ner.findings(question, [[], [("PERSON", 0.85, 4, 9)]])
    assert (found.view, text[found.start : found.end]) == ("plain", "M\u200bar\u200bia")


def test_what_both_readings_find_is_one_finding():
    text = "\uff2daria lives."
    place = ("PERSON", 0.85, 0, 5)
    assert len(ner.findings(asked(text), [[place], [place]])) == 1
    other = ("LOCATION", 0.85, 0, 5)
    assert len(ner.findings(asked(text), [[place], [other]])) == 2


@pytest.mark.parametrize(
    "span",
    [
        ("PERSON", 0.85, 4, 99),
        ("PERSON", 0.85, -1, 3),
        ("PERSON", 0.85, 5, 5),
        ("PERSON", 1.5, 0, 3),
        ("EMAIL_ADDRESS", 0.9, 0, 3),
    ],
)
def test_an_answer_that_cannot_be_one_is_refused(span):
    with pytest.raises(ValueError, match="cannot be in the text"):
        ner.findings(asked("Ask Maria."), [[span]])


def test_as_many_answers_as_texts():
    with pytest.raises(ValueError, match="2 answers to 1 texts"):
        ner.findings(asked("Ask Maria."), [[], []])
    for answers in ([], [[], []], [[]] * 4):
        with pytest.raises(ValueError, match="not as many answers as texts"):
            ner.all_findings([asked("Ask Maria."), asked("M\u200bar\u200bia")], answers)
    assert ner.all_findings([], []) == []


def test_each_of_several_questions_gets_its_own_answers():
    place = ("PERSON", 0.85, 0, 5)
    several = [asked("Ask her."), asked("M\u200baria lives."), asked("Maria lives.")]
    read = ner.all_findings(several, [[], [], [place], [place]])
    assert [[(one.view, one.end) for one in found] for found in read] == [
        [],
        [("plain", 6)],
        [("raw", 5)],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MOST + 1),
        "\ufdfa" * 200,  # which undoing its tricks makes too large
        "\ufb03" * (MOST // 3 + 1),  # and this one larger than what is read
    ],
)
def test_a_text_that_is_too_large_is_never_cut(text):
    assert asked("a" * MOST).texts == ("a" * MOST,)
    leaves = [Leaf(one, "user", "messages.0") for one in ("a", text, "b", text)]
    with pytest.raises(ner.TooLargeError) as caught:
        ner.questions(leaves, MOST)
    assert caught.value.leaf == 1


def test_what_is_too_large_is_a_detector_that_failed():
    scan = ner.too_large(3)
    assert scan.failed == {"ner"}
    assert [(one.kind, one.category, one.leaf) for one in scan.findings] == [
        ("TOO_LARGE", "error", 3)
    ]


def test_tenants_can_ask_for_what_is_found_and_for_nothing_else():
    assert set(Tenant.Entity.values) == NAMED
