"""A tenant's own detectors as they are declared: read from YAML or JSON, checked, written."""

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any, Final

from django.core.exceptions import ValidationError

from policies.detectors import normalise
from policies.detectors.custom import LENGTH_MAX, Custom, CustomDetector
from policies.detectors.extent import PatternFault, extent_of
from policies.detectors.patterns import UntranslatableError, compiled
from policies.detectors.validators import VALIDATORS
from policies.pdp import fields
from policies.pdp.effects import KIND
from policies.pdp.fields import Fields
from policies.pdp.nodes import Listing, Mapping, Node, Place, Scalar, fault
from policies.pdp.problem import PolicyError, Problem
from policies.vocabulary import known_kinds

DETECTORS_MAX: Final = 100
PATTERNS_MAX: Final = 200
WORDS_MAX: Final = 2000
WORD_LENGTH_MAX: Final = 100
BLANKS_MAX: Final = 8000
"""Blanks in all words of a tenant: each is as much work to prepare as many letters."""

PATTERN_LENGTH_MAX: Final = 512
PROGRAM_MAX: Final = 5000
PROGRAMS_MAX: Final = 50_000
"""Instructions that RE2 makes of one pattern, and of all of a tenant."""

FAULTS_MAX: Final = 20
"""Faults in patterns after which no other pattern is looked at."""

BYTES_MAX: Final = 256 * 1024
KEYS: Final = (
    "kind", "words", "patterns", "score", "case_sensitive", "whole_words", "validator",
    "max_length",
)  # fmt: skip
_WORDS_ONLY: Final = ("case_sensitive", "whole_words")
_NONE: Final[tuple[str, ...]] = ()

_read_kind: Final = fields.word(KIND, "a kind such as PROJECT_CODENAME: A-Z, 0-9 and _")


def read(node: Node) -> tuple[CustomDetector, ...]:
    """Return the detectors of a list; PolicyError with every fault at its place."""
    _refuse_too_many(node)
    work = _Work()
    found = fields.listing(partial(_placed, work=work), DETECTORS_MAX)(node)
    detectors = tuple(detector for detector, _ in found)
    problems = [*_twice(found), *_too_large(detectors, work, node.at)]
    if not problems and not _can_be_used(detectors):
        hint = "look for less: fewer words and patterns, or shorter ones"
        problems = [Problem(*node.at, "RE2 cannot look for all of this", hint)]
    if problems:
        raise PolicyError(problems)
    return detectors


def of_json(value: Any) -> tuple[CustomDetector, ...]:
    """Return the detectors that some JSON says; ValidationError, each fault with its path."""
    size = len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
    if size > BYTES_MAX:
        message = f"detectors: {size:,} bytes, and {BYTES_MAX:,} is the most - look for less"
        raise ValidationError({"detectors": [message]})
    paths: list[str] = [""]
    try:
        return read(_node(value, "detectors", paths))
    except PolicyError as error:
        said = (
            " - ".join(filter(None, (f"{paths[one.line]}: {one.message}", one.hint)))
            for one in error.problems
        )
        raise ValidationError({"detectors": list(said)}) from None


def written(detectors: Iterable[CustomDetector]) -> list[dict[str, Any]]:
    """Return detectors as JSON, without what goes without saying."""
    return [_written(detector) for detector in detectors]


def ordered(stored: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return stored detectors with their keys in order: the database keeps none."""
    return [{key: one[key] for key in KEYS if key in one} for one in stored]


def checked(value: Any) -> list[dict[str, Any]]:
    """Return some JSON in the form in which it is stored; ValidationError if it says no
    detectors."""
    return written(of_json(value))


def _written(detector: CustomDetector) -> dict[str, Any]:
    usual = CustomDetector(detector.kind)
    values = {key: getattr(detector, key) for key in KEYS}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if key == "kind" or value != getattr(usual, key)
    }


class _Work:
    """What was done so far to check the patterns of a tenant."""

    def __init__(self) -> None:
        self.size = 0
        self.faults = 0

    @property
    def is_enough(self) -> bool:
        """True where the list is refused already, whatever the other patterns are."""
        return self.size > PROGRAMS_MAX or self.faults >= FAULTS_MAX


def _placed(node: Node, work: _Work) -> tuple[CustomDetector, Place]:
    keys = Fields(node, "a detector", KEYS)
    length = keys.optional("max_length", fields.whole(1, LENGTH_MAX), 0)
    detector = CustomDetector(
        kind=keys.required("kind", _free_kind, ""),
        words=keys.optional("words", fields.listing(_word, WORDS_MAX), _NONE),
        patterns=keys.optional(
            "patterns", fields.listing(_pattern(length, work), PATTERNS_MAX), _NONE
        ),
        score=keys.optional("score", fields.decimal(0.0, 1.0), 1.0),
        case_sensitive=keys.optional("case_sensitive", fields.flag, default=False),
        whole_words=keys.optional("whole_words", fields.flag, default=True),
        validator=keys.optional("validator", fields.choice(VALIDATORS), ""),
        max_length=length,
    )
    if not keys.faulty and not detector.words and not detector.patterns:
        keys.note(keys.at, "the detector looks for nothing", "give it words or patterns")
    for key in _WORDS_ONLY:
        if key in keys and "words" not in keys:
            hint = "begin a pattern with (?i), or write \\b around it"
            keys.note(keys.key_at(key), f"{key} is for words, and there are none", hint)
    if "max_length" in keys and "patterns" not in keys:
        hint = "leave it out: how long a word is, it says itself"
        keys.note(keys.key_at("max_length"), "max_length is for patterns, and there are none", hint)
    keys.finish()
    return detector, keys.value_at("kind")


def _free_kind(node: Node) -> str:
    kind = _read_kind(node)
    if kind in known_kinds():
        raise fault(node.at, f"{kind} is a kind of personal data already", "choose another name")
    return kind


def _word(node: Node) -> str:
    text = fields.text(WORD_LENGTH_MAX)(node).text
    try:
        shown = _shown(text)
    except normalise.ViewTooLargeError:
        shown = None
    if shown is None or len(shown) > WORD_LENGTH_MAX:
        message = f"written out, the word is longer than {WORD_LENGTH_MAX} characters"
        raise fault(node.at, message, "leave out characters that stand for several")
    if not shown.strip():
        raise fault(node.at, "nothing of the word can be seen")
    return text


def _shown(word: str) -> str:
    """Return a word without disguise."""
    view = normalise.plain(word)
    return word if view is None else view.text


def _pattern(length: int, work: _Work) -> Callable[[Node], str]:
    def read_pattern(node: Node) -> str:
        scalar = fields.text(PATTERN_LENGTH_MAX)(node)
        if work.is_enough:
            return scalar.text
        try:
            work.size += _checked_size(scalar.text, length)
        except PatternFault as wrong:
            work.faults += 1
            at = scalar.place(wrong.position) if scalar.origin else scalar.at
            message = f"the pattern, character {wrong.position + 1}: {wrong.message}"
            raise fault(at, message, wrong.remedy) from None
        return scalar.text

    return read_pattern


def _checked_size(pattern: str, length: int) -> int:
    """Return how many instructions RE2 makes of a pattern; PatternFault for one that cannot be used
    with this longest match (0: none)."""
    extent = extent_of(pattern)
    size = program_size(pattern)
    if size > PROGRAM_MAX:
        raise PatternFault(
            0,
            f"RE2 makes {size:,} instructions of it, and {PROGRAM_MAX:,} is the most",
            r"repeat less, or write [a-z] for \pL",
        )
    if not extent.least:
        raise PatternFault(0, "it matches where nothing stands", "write + for *, or leave ? out")
    if extent.most > (length or LENGTH_MAX) and not length:
        raise PatternFault(
            0,
            "its matches have no longest",
            f"give the detector a max_length of 1 to {LENGTH_MAX}, or repeat with {{1,40}}",
        )
    return size


def program_size(pattern: str) -> int:
    """Return how many instructions RE2 makes of a pattern; PatternFault where it cannot."""
    try:
        return int(compiled(pattern).programsize)
    except UntranslatableError as error:
        why = error.__cause__.args[0] if error.__cause__ else b""
        said = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        part = said.rpartition(": ")[2]
        raise PatternFault(max(0, pattern.find(part)), f"RE2 refuses it: {said}") from None


def _twice(found: Iterable[tuple[CustomDetector, Place]]) -> Iterable[Problem]:
    seen: set[str] = set()
    for detector, at in found:
        if detector.kind in seen:
            hint = "put its words and patterns into one detector"
            yield Problem(*at, f"the kind {detector.kind} stands twice", hint)
        seen.add(detector.kind)


def _refuse_too_many(node: Node) -> None:
    """Raise PolicyError for more words or patterns than a tenant has, before any is looked at."""
    problems = []
    for key, most in (("patterns", PATTERNS_MAX), ("words", WORDS_MAX)):
        found = sum(_length(item, key) for item in node.items) if isinstance(node, Listing) else 0
        if found > most:
            message = f"{found:,} {key}, and {most:,} is the most of a tenant"
            problems.append(Problem(*node.at, message, "look for less"))
    if problems:
        raise PolicyError(problems)


def _length(node: Node, name: str) -> int:
    """Return how long the list is that a key of a mapping has, 0 where there is none."""
    entries = node.entries if isinstance(node, Mapping) else ()
    return sum(
        len(value.items)
        for key, value in entries
        if key.text == name and isinstance(value, Listing)
    )


def _too_large(detectors: Iterable[CustomDetector], work: _Work, at: Place) -> Iterable[Problem]:
    if work.size > PROGRAMS_MAX:
        message = f"RE2 makes more than {PROGRAMS_MAX:,} instructions of all patterns of a tenant"
        yield Problem(*at, message, "repeat less, or look for less")
    blanks = sum(len(_shown(word).split()) - 1 for one in detectors for word in one.words)
    if blanks > BLANKS_MAX:
        message = f"{blanks:,} blanks in all words, and {BLANKS_MAX:,} is the most of a tenant"
        yield Problem(*at, message, "write shorter phrases, or fewer")


@lru_cache(maxsize=64)
def _can_be_used(detectors: tuple[CustomDetector, ...]) -> bool:
    """Tell whether RE2 can prepare all at once, as each worker does."""
    try:
        Custom(detectors)
    except UntranslatableError:
        return False
    return True


def _node(value: Any, path: str, paths: list[str]) -> Node:
    """Return JSON as a node whose place is the number of its path."""
    at = (len(paths), 1)
    paths.append(path)
    if isinstance(value, dict):
        entries = (
            (Scalar(str(key), str(key), at), _node(item, f"{path}.{key}", paths))
            for key, item in value.items()
        )
        return Mapping(tuple(entries), at)
    if isinstance(value, list):
        items = (_node(item, f"{path}[{place}]", paths) for place, item in enumerate(value))
        return Listing(tuple(items), at)
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise fault(at, "U+0000 and lone surrogates are refused")
    return Scalar(value, value if isinstance(value, str) else repr(value), at)


_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
