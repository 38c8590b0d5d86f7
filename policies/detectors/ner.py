"""What a model of names says of texts, as findings. Pure: who asks the model, and how, is not here.

The model reads a text as it is and, where something in it is disguised, without its disguise. A
text is one message or part: it is read whole or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from policies.detectors import normalise
from policies.detectors.covering import uncovered
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.normalise import View, ViewTooLargeError
from policies.pdp.request import NAMED, NER

TEXT_MAX: Final = 1 << 18
"""Characters of one text above which no model is asked: the detector has failed then."""

TOO_LARGE: Final = "TOO_LARGE"

Span = tuple[str, float, int, int]
"""A kind as Presidio names it, a score from 0 to 1, and where it stands: start and end."""


class Question(NamedTuple):
    """What is to be read of one leaf: its text, and the same without its disguise, if it has one.

    `view` leads from offsets into the second to offsets into the leaf.
    """

    texts: tuple[str, ...]
    view: View | None


def question(leaf: Leaf) -> Question | None:
    """Return what to ask of a leaf; None where it is too large to be asked."""
    if len(leaf.text) > TEXT_MAX:
        return None
    try:
        view = normalise.plain(leaf.text)
    except ViewTooLargeError:
        return None
    return Question((leaf.text,) if view is None else (leaf.text, view.text), view)


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
