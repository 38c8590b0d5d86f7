"""How much of what a model was told an answer says again: system-prompt echo, by n-grams. Pure.

A text is read as words, without case, punctuation and disguise; each run of `WORDS` words that
follow each other is a shingle. The share of the prompt's shingles that the answer holds says how
much of it was copied; what says the same in other words, or in another language, shares none.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from policies.detectors import normalise

WORDS: Final = 5
PROMPT_WORDS_MAX: Final = 20_000
"""So many words of the prompts are looked for, from their beginning."""

ANSWER_MAX: Final = 1024 * 1024
"""An answer of more characters is not searched: it counts as if it repeated everything."""

ALL: Final = 100

# Where no blanks are written between words, each character is one.
_UNSPACED: Final = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def percent(prompts: Iterable[str], answer: Iterable[str]) -> int:
    """Return how much of the prompts an answer's texts repeat, in whole percent, rounded down.

    Prompts of fewer than `WORDS` words have nothing to repeat: 0. No shingle goes from one text
    into another.
    """
    wanted = _wanted(prompts)
    if not wanted:
        return 0
    texts = list(answer)
    if sum(map(len, texts)) > ANSWER_MAX:
        return ALL
    try:
        said = {shingle for text in texts for shingle in _shingles(_words(text))}
    except normalise.ViewTooLargeError:  # it cannot be read whole, and may say anything
        return ALL
    return len(wanted & said) * ALL // len(wanted)


def _wanted(prompts: Iterable[str]) -> set[tuple[str, ...]]:
    left, found = PROMPT_WORDS_MAX, set[tuple[str, ...]]()
    for prompt in prompts:
        words = _prompted(prompt)[:left]
        left -= len(words)
        found.update(_shingles(words))
    return found


def _shingles(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(WORDS)), strict=False)


def _prompted(text: str) -> list[str]:
    try:
        return _words(text)
    except normalise.ViewTooLargeError:  # read as it stands: no model would say it otherwise
        return _WORD.findall(text.casefold())


def _words(text: str) -> list[str]:
    view = normalise.plain(text)
    return _WORD.findall((text if view is None else view.text).casefold())
