"""Presidio's recognizers, taken out of Presidio: their patterns, check digits and context words.

Importing `presidio_analyzer` the usual way loads spaCy, numpy and every NLP engine: 95 MB and 1.5 s
in each process, for code that is never called here. So only the modules of the recognizers and the
classes under them are loaded, in place of the package's own `__init__`; afterwards `sys.modules` is
as it was, and a later `import presidio_analyzer` gets the whole package as usual.
"""

import functools
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from policies.detectors.packs import COUNTRIES, EVERYWHERE, Pick

_PACKAGE: Final = "presidio_analyzer"
_SHELLS: Final = (_PACKAGE, f"{_PACKAGE}.nlp_engine", f"{_PACKAGE}.predefined_recognizers")
# What the recognizers import from the package, in the order in which they need each other.
_FOUNDATION: Final = (
    ("analysis_explanation", "AnalysisExplanation"),
    ("recognizer_result", "RecognizerResult"),
    ("entity_recognizer", "EntityRecognizer"),
    ("local_recognizer", "LocalRecognizer"),
    ("pattern", "Pattern"),
    ("pattern_recognizer", "PatternRecognizer"),
)
_EMAIL: Final = "EmailRecognizer"
_IBAN: Final = "IbanRecognizer"
_LIBRARY_LOGGERS: Final = ("presidio-analyzer", "tldextract")

Check = Callable[[str], bool | None]


@dataclass(frozen=True, slots=True)
class Recognizer:
    """How one kind is recognized: patterns with their scores, two checks, and words around it.

    `validate` settles a match (true: score 1, false: none, None: as it is); `invalidate` drops one.
    With `by_group`, the end of each group of a match is a possible end, the longest first.
    """

    kind: str
    patterns: tuple[tuple[str, float], ...]
    flags: int
    context: tuple[str, ...]
    validate: Check | None
    invalidate: Check | None
    by_group: bool


@functools.cache
def recognizers(countries: tuple[str, ...]) -> tuple[Recognizer, ...]:
    """Return the recognizers for everybody and those of some countries, `ValueError` if unknown."""
    unknown = set(countries) - COUNTRIES.keys()
    if unknown:
        raise ValueError(f"no recognizers for {', '.join(sorted(unknown))}")
    picks = [*EVERYWHERE]
    for country in sorted(set(countries)):
        picks += COUNTRIES[country]
    stock = _stock()
    return tuple(_recognizer(stock[pick.name], pick) for pick in picks)


@functools.cache
def _stock() -> dict[str, type[Any]]:
    """Load the class of every pick. Its modules stay alive through the classes alone."""
    for name in _LIBRARY_LOGGERS:  # some log the text that failed a check
        logging.getLogger(name).addFilter(lambda record: False)
    picks: Iterable[Pick] = (*EVERYWHERE, *(pick for pack in COUNTRIES.values() for pick in pack))
    with _without_package_code():
        for module, name in _FOUNDATION:
            loaded = importlib.import_module(f"{_PACKAGE}.{module}")
            setattr(sys.modules[_PACKAGE], name, getattr(loaded, name))
        return {
            pick.name: getattr(
                importlib.import_module(f"{_PACKAGE}.predefined_recognizers.{pick.module}"),
                pick.name,
            )
            for pick in picks
        }


@contextmanager
def _without_package_code() -> Iterator[None]:
    """Let modules of the package be imported while the `__init__` of `_SHELLS` is not run."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(_PACKAGE, name=_PACKAGE)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_inside(name)}
    try:
        for name in _SHELLS:
            inner = name.split(".")[1:]
            shell = ModuleType(name)
            shell.__path__ = [
                str(Path(place, *inner)) for place in found.submodule_search_locations
            ]
            sys.modules[name] = shell
        # Named in signatures only.
        sys.modules[f"{_PACKAGE}.nlp_engine"].__dict__["NlpArtifacts"] = object
        yield
    finally:
        for name in [name for name in sys.modules if _is_inside(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_inside(name: str) -> bool:
    return name == _PACKAGE or name.startswith(f"{_PACKAGE}.")


def _recognizer(stock: type[Any], pick: Pick) -> Recognizer:
    made: Any = stock()
    kept = [made.patterns[index] for index in pick.patterns] if pick.patterns else made.patterns
    return Recognizer(
        kind=made.supported_entities[0],
        patterns=tuple((pattern.regex, pattern.score) for pattern in kept),
        flags=int(made.global_regex_flags),
        context=pick.context or tuple(made.context or ()),
        validate=_is_public_address if pick.name == _EMAIL else _own(made, "validate_result"),
        invalidate=_own(made, "invalidate_result"),
        by_group=pick.name == _IBAN,
    )


def _own(recognizer: Any, name: str) -> Check | None:
    """Return a check of a recognizer, none if it is the one that checks nothing."""
    classes = type(recognizer).__mro__
    base = next(parent for parent in classes if parent.__name__ == "PatternRecognizer")
    inherited = getattr(type(recognizer), name) is getattr(base, name)
    return None if inherited else getattr(recognizer, name)


@functools.cache
def _extractor() -> Any:
    # The default extractor fetches the list of suffixes at its first use; this one has its own.
    tldextract = importlib.import_module("tldextract")
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())


def _is_public_address(address: str) -> bool:
    """Tell whether a mail address ends in a public suffix, as the stock check does, offline."""
    return bool(_extractor()(address).fqdn)
