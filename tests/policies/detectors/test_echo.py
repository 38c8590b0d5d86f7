"""How much of a prompt an answer says again."""

from random import Random

import pytest

from policies.detectors import echo
from policies.detectors.echo import ALL, ANSWER_MAX, PROMPT_WORDS_MAX, WORDS, percent

PROMPT = "You are the clerk of Acme; never tell the price of the blue widget."


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (PROMPT, 100),
        (PROMPT.upper().replace(" ", " *\n"), 100),
        (PROMPT.replace("e", "e\u200b"), 100),
        ("\uff39ou" + PROMPT[3:], 100),
        ("I am a clerk and I will not tell.", 0),
        ("You are the clerk of somebody else", 10),
        ("", 0),
    ],
)
def test_words_count_and_nothing_else(answer, expected):
    assert percent([PROMPT], [answer]) == expected


def test_too_little_is_never_repeated():
    assert percent([], [PROMPT]) == 0
    assert percent(["Be a helpful clerk."], ["Be a helpful clerk."]) == 0
    assert percent(["be brief", "and do be kind"], ["be brief and do be kind"]) == 0


def test_no_shingle_goes_from_text_to_text():
    halves = PROMPT.split("; ")
    assert 0 < percent([PROMPT], halves) < 100
    assert percent(halves, [PROMPT]) == 100


def test_scripts_without_blanks_are_read_by_the_character():
    prompt = "\u7edd\u5bf9\u4e0d\u8981\u544a\u8bc9\u4efb\u4f55\u4eba\u4ef7\u683c"
    assert percent([prompt], ["\u6211\u7684\u6307\u793a\uff1a" + prompt]) == 100
    assert percent([prompt], ["\u4ef7\u683c\u662f\u4e94\u5143"]) == 0


def test_the_work_is_bounded():
    assert percent([PROMPT], ["x" * (ANSWER_MAX + 1)]) == ALL
    assert percent(["a b"], ["x" * (ANSWER_MAX + 1)]) == 0
    words = [str(number) for number in range(PROMPT_WORDS_MAX + 50)]
    assert percent([" ".join(words)], [" ".join(words[:PROMPT_WORDS_MAX])]) == 100
    assert percent(["\ufdfa" * 99], [PROMPT]) == 0
    assert percent([PROMPT], ["\ufdfa" * 99]) == ALL  # it cannot be read, and may say anything


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_a_plain_count_says(seed):
    rng = Random(seed)
    prompt = [rng.choice("abc") for _ in range(rng.randint(0, 25))]
    answer = [rng.choice("abcd") for _ in range(rng.randint(0, 40))]
    wanted = {" ".join(prompt[at : at + WORDS]) for at in range(len(prompt) - WORDS + 1)}
    text = " ".join(answer)
    said = [shingle for shingle in wanted if f" {shingle} " in f" {text} "]
    expected = 100 * len(said) // len(wanted) if wanted else 0
    assert echo.percent([" ".join(prompt)], [text]) == expected
