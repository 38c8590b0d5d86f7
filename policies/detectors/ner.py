"""What a model of names says of texts, as findings. Pure: who asks the model, and how, is not here.

The model reads a text as it is and, where something in it is disguised, without its disguise. A
text is one message or part: it is read whole or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from policies.detectors import normalise
from policies.detectors.covering import uncovered
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.normalise import View, ViewTooLargeError
from policies.pdp.request import NAMED, NER

TOO_LARGE: Final = "TOO_LARGE"

Span = tuple[str, float, int, int]
"""A kind as Presidio names it, a score from 0 to 1, and where it stands: start and end."""


class Question(NamedTuple):
    """What is to be read of one leaf: its text, and the same without its disguise, if it has one.

    `view` leads from offsets into the second to offsets into the leaf.
    """

    texts: tuple[str, ...]
    view: View | None


class TooLargeError(Exception):
    """A text is larger than what is read: `leaf` is the index of it."""

    def __init__(self, leaf: int) -> None:
        self.leaf = leaf
        super().__init__(f"text {leaf} is too large for the models of names")


def questions(leaves: Sequence[Leaf], most: int) -> list[Question]:
    """Return what to ask of each leaf, where each text has at most so many characters.

    Raises TooLargeError. It takes a second for some hundred thousand characters in disguise.
    """
    for index, leaf in enumerate(leaves):
        if len(leaf.text) > most:
            raise TooLargeError(index)
    return [_question(index, leaf.text, most) for index, leaf in enumerate(leaves)]


def _question(index: int, text: str, most: int) -> Question:
    try:
        view = normalise.plain(text)
    except ViewTooLargeError:
        raise TooLargeError(index) from None
    if view is None:
        return Question((text,), None)
    if len(view.text) > most:
        raise TooLargeError(index)
    return Question((text, view.text), view)


def findings(asked: Question, answers: Sequence[Iterable[Span]]) -> tuple[Finding, ...]:
    """Return what the answers to a question say as findings in leaf 0, each place once.

    `answers` has one item for each text of the question. Raises ValueError where one of them is
    none: a place outside of the text, a score that is none, a kind that nobody asked for.
    """
    if len(answers) != len(asked.texts):
        raise ValueError(f"{len(answers)} answers to {len(asked.texts)} texts")
    found: list[Finding] = []
    for index, spans in enumerate(answers):
        found += uncovered(found, list(_findings(asked, index, spans)))
    return tuple(found)


def all_findings(
    asked: Sequence[Question], answers: Sequence[Iterable[Span]]
) -> list[tuple[Finding, ...]]:
    """Return the same for each of several questions, whose answers follow one another."""
    ends = list(accumulate(len(question.texts) for question in asked))
    if len(answers) != (ends[-1] if ends else 0):
        raise ValueError("there are not as many answers as texts")
    return [
        findings(question, answers[end - len(question.texts) : end])
        for question, end in zip(asked, ends, strict=True)
    ]


def too_large(leaf: int) -> Scan:
    """Return what it means that a leaf is too large to be asked."""
    finding = Finding(TOO_LARGE, "error", 1.0, leaf, 0, 0, normalise.RAW)
    return Scan((finding,), frozenset({NER}))


def _findings(asked: Question, index: int, spans: Iterable[Span]) -> Iterator[Finding]:
    size, view = len(asked.texts[index]), asked.view if index else None
    for kind, score, start, end in spans:
        if kind not in NAMED or not 0 <= start < end <= size or not 0 <= score <= 1:
            raise ValueError("the answer names what cannot be in the text")
        place = (start, end) if view is None else view.span(start, end)
        name = normalise.RAW if view is None else view.name
        yield Finding(kind, "pii", round(score, 2), 0, *place, name)
