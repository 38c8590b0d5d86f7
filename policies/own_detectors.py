"""A tenant's own detectors as they are declared: read from YAML or JSON, checked, written."""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.core.exceptions import ValidationError

from policies.detectors import normalise
from policies.detectors.custom import LENGTH_MAX, CustomDetector
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
PATTERN_LENGTH_MAX: Final = 512
PROGRAM_MAX: Final = 5000
PROGRAMS_MAX: Final = 50_000
"""Instructions that RE2 makes of one pattern, and of all of a tenant."""

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
    found = fields.listing(_placed, DETECTORS_MAX)(node)
    problems = [*_twice(found), *_too_many([detector for detector, _ in found], node.at)]
    if problems:
        raise PolicyError(problems)
    return tuple(detector for detector, _ in found)


def of_json(value: Any) -> tuple[CustomDetector, ...]:
    """Return the detectors that some JSON says; ValidationError, each fault with its path."""
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


def _placed(node: Node) -> tuple[CustomDetector, Place]:
    keys = Fields(node, "a detector", KEYS)
    length = keys.optional("max_length", fields.whole(1, LENGTH_MAX), 0)
    detector = CustomDetector(
        kind=keys.required("kind", _free_kind, ""),
        words=keys.optional("words", fields.listing(_word, WORDS_MAX), _NONE),
        patterns=keys.optional("patterns", fields.listing(_pattern(length), PATTERNS_MAX), _NONE),
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
    view = normalise.plain(text)
    if not (text if view is None else view.text).strip():
        raise fault(node.at, "nothing of the word can be seen")
    return text


def _pattern(length: int) -> Callable[[Node], str]:
    def read_pattern(node: Node) -> str:
        scalar = fields.text(PATTERN_LENGTH_MAX)(node)
        try:
            _check(scalar.text, length)
        except PatternFault as wrong:
            at = scalar.place(wrong.position) if scalar.origin else scalar.at
            message = f"the pattern, character {wrong.position + 1}: {wrong.message}"
            raise fault(at, message, wrong.remedy) from None
        return scalar.text

    return read_pattern


def _check(pattern: str, length: int) -> None:
    """Raise PatternFault for a pattern that cannot be used with this longest match (0: none)."""
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


def _too_many(detectors: list[CustomDetector], at: Place) -> Iterable[Problem]:
    patterns = [pattern for detector in detectors for pattern in detector.patterns]
    words = sum(len(detector.words) for detector in detectors)
    if len(patterns) > PATTERNS_MAX:
        yield Problem(*at, f"{len(patterns)} patterns, and {PATTERNS_MAX} is the most of a tenant")
    elif (size := sum(map(program_size, patterns))) > PROGRAMS_MAX:
        message = f"RE2 makes {size:,} instructions of all patterns, and {PROGRAMS_MAX:,} is"
        yield Problem(*at, f"{message} the most of a tenant", "repeat less, or look for less")
    if words > WORDS_MAX:
        yield Problem(*at, f"{words:,} words, and {WORDS_MAX:,} is the most of a tenant")


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
