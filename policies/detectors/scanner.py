"""The detectors as one: leaves in, findings out, and never a text in an error or a log."""

import functools
import hashlib
import logging
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from policies.detectors import normalise
from policies.detectors.covering import uncovered
from policies.detectors.custom import Custom, CustomDetector
from policies.detectors.finding import Category, Finding, Leaf, Scan
from policies.detectors.injection import Injection
from policies.detectors.normalise import Reading
from policies.detectors.presidio import Presidio
from policies.detectors.secrets import Secrets

INLINE_LIMIT: Final = 8192
"""Characters in a call above which `scan` belongs in a thread."""

MAX_TEXT: Final = 1 << 20
"""Characters in a call above which nothing is scanned: every detector asked for has failed."""

FINDINGS_MAX: Final = 10_000
"""What one detector finds in a call at most: with more it has failed, whatever it found."""

TOO_LARGE: Final = "TOO_LARGE"
PII: Final = "pii"
SECRETS: Final = "secrets"
INJECTION: Final = "injection"
CUSTOM: Final = "custom"

_LIBRARIES: Final = ("google-re2", "phonenumbers", "presidio-analyzer", "regex", "tldextract")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What a tenant wants found: countries whose identifiers, regions whose phone numbers, and what
    else, by detectors of its own.

    Countries and regions are ISO 3166 codes; `packs.COUNTRIES` and `phones.SUPPORTED_REGIONS` say
    which are known.
    """

    countries: tuple[str, ...] = ()
    phone_regions: tuple[str, ...] = ()
    custom: tuple[CustomDetector, ...] = ()


class Scanner:
    """Runs detectors over the leaves of a call; `ValueError` for a country or region not known.

    Making one loads everything that it needs (a tenth of a second, the first time half a second);
    `scan` may run in several threads at a time.
    """

    def __init__(self, config: DetectorConfig) -> None:
        self._presidio = _presidio(
            tuple(sorted(set(config.countries))), tuple(sorted(set(config.phone_regions)))
        )
        self._injection = _injection()
        self._secrets = _secrets()
        self._custom = Custom(config.custom)
        self._detectors: dict[str, Callable[[Reading, int], list[Finding]]] = {
            PII: self._personal,
            SECRETS: self._secret,
            INJECTION: self._injection.find_in,
            CUSTOM: self._own,
        }
        self.version = self._version(config)
        self.kinds = self._presidio.kinds
        self.reach = self._custom.reach
        self.scan([Leaf("Reach maria@example.com or +1 212 555 0147, caf\u00e9.", "", "")], _ALL)

    version: str
    """SHA-256, in hex, of all that decides what is found: rules, code, libraries, configuration."""

    kinds: frozenset[str]
    """The kinds of personal data that may be found."""

    reach: int
    """Characters that a match of the tenant's own detectors has at most where blanks can be in it;
    0 where they can be in none."""

    def scan(self, leaves: Sequence[Leaf], needs: frozenset[str]) -> Scan:
        """Return what the needed detectors find in the leaves ("pii", "secrets", "injection",
        "custom")."""
        large = _first_too_large(leaves)
        if large is not None:
            return Scan((Finding(TOO_LARGE, "error", 1.0, large, 0, 0, normalise.RAW),), needs)
        findings: list[Finding] = []
        failed = set(needs - self._detectors.keys())
        readings = [Reading(leaf.text) for leaf in leaves]
        for name in self._suspecting(leaves, sorted(needs & self._detectors.keys())):
            found, is_whole = self._found(name, readings)
            findings += found
            if not is_whole:
                failed.add(name)
        return Scan(tuple(findings), frozenset(failed))

    def may_find(self, text: str, begin: int, needs: frozenset[str]) -> bool:
        """Return False only where `scan` finds nothing that ends behind `begin`, for these needs.

        A text that is still being written is asked this at every word. Before `begin` nothing may
        have begun that ends behind it; what stands there may be read as a credential's name.
        """
        if len(text) > INLINE_LIMIT or not needs <= _GATED or _has_disguise(text):
            return True
        return (
            (PII in needs and self._presidio.may_find(text[max(0, begin - 1) :]))
            or (SECRETS in needs and self._secrets.may_find(text))
            or (CUSTOM in needs and self._custom.may_find(text))
        )

    def _found(self, name: str, readings: Sequence[Reading]) -> tuple[list[Finding], bool]:
        """Return what a detector finds, and whether that is all: it may fail, or find too much."""
        findings: list[Finding] = []
        is_whole = True
        for index, reading in enumerate(readings):
            found = self._attempted(name, reading, index)
            if found is None:
                is_whole = False
                continue
            findings += found
            if len(findings) > FINDINGS_MAX:
                return findings[:FINDINGS_MAX], False
        return findings, is_whole

    def _suspecting(self, leaves: Sequence[Leaf], names: list[str]) -> list[str]:
        """Return the detectors that may find anything in several leaves, asked of all at once.

        Most calls hold nothing, and asking costs more than reading. The leaves are lines of one
        text: what a gate passes in one of them it passes there too (tests hold it to that).
        """
        text = "\n".join([leaf.text for leaf in leaves])
        if len(leaves) == 1 or len(text) > INLINE_LIMIT:
            return names
        if not text.isascii():  # then there are other readings to look at
            return names
        askable: dict[str, Presidio | Secrets | Injection | Custom] = {
            PII: self._presidio,
            SECRETS: self._secrets,
            INJECTION: self._injection,
            CUSTOM: self._custom,
        }
        return [name for name in names if askable[name].may_find(text)]

    def _attempted(self, name: str, reading: Reading, leaf: int) -> list[Finding] | None:
        """Return what a detector finds, or none if it fails, which must not pass for nothing."""
        try:
            return self._detectors[name](reading, leaf)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the caller is told
            # The type alone: a message, or a traceback, may hold the text.
            _log.error("detector %s failed: %s", name, type(error).__name__)
            return None

    def _personal(self, reading: Reading, leaf: int) -> list[Finding]:
        return _in_views(self._presidio.find, "pii", reading, leaf)

    def _secret(self, reading: Reading, leaf: int) -> list[Finding]:
        return _in_views(self._secrets.find, "secret", reading, leaf)

    def _own(self, reading: Reading, leaf: int) -> list[Finding]:
        return _in_views(self._custom.find, "custom", reading, leaf)

    def _version(self, config: DetectorConfig) -> str:
        digest = hashlib.sha256()
        parts = (
            *_surroundings(),
            *self._presidio.parts(),
            *self._injection.parts(),
            *self._secrets.parts(),
            *self._custom.parts(),
            repr((sorted(set(config.countries)), sorted(set(config.phone_regions)))),
        )
        for part in parts:
            digest.update(hashlib.sha256(part.encode()).digest())
        return digest.hexdigest()


_GATED: Final = frozenset({PII, SECRETS, CUSTOM})
_ALL: Final = _GATED | {INJECTION}

Spans = Iterable[tuple[str, float, int, int]]


def _in_views(
    find: Callable[[str], Spans], category: Category, reading: Reading, leaf: int
) -> list[Finding]:
    """Return what is found in a text, and in it without its disguise, each place once."""
    found = [
        Finding(kind, category, round(score, 2), leaf, start, end, normalise.RAW)
        for kind, score, start, end in find(reading.text)
    ]
    plain = reading.plain()
    if plain is not None:
        again = [
            Finding(kind, category, round(score, 2), leaf, *plain.span(first, last), plain.name)
            for kind, score, first, last in find(plain.text)
        ]
        found += uncovered(found, again)
    return found


def _has_disguise(text: str) -> bool:
    """Tell whether there is another way to read a text, or more of it than is read at all."""
    try:
        return normalise.plain(text) is not None
    except normalise.ViewTooLargeError:
        return True


@functools.lru_cache(maxsize=64)
def _presidio(countries: tuple[str, ...], phone_regions: tuple[str, ...]) -> Presidio:
    return Presidio(countries, phone_regions)


@functools.cache
def _injection() -> Injection:
    return Injection()


@functools.cache
def _secrets() -> Secrets:
    return Secrets()


def _surroundings() -> Iterator[str]:
    """Return the code of the detectors and the versions of what they stand on."""
    for source in sorted(Path(__file__).parent.glob("*.py")):
        yield source.name
        yield source.read_text(encoding="utf-8")
    for library in _LIBRARIES:
        yield f"{library} {version(library)}"
    yield f"python {sys.version_info[:2]} unicode {unicodedata.unidata_version}"


def _first_too_large(leaves: Sequence[Leaf]) -> int | None:
    """Return the index of the leaf with which the text of a call becomes too large, if it does."""
    total = 0
    for index, leaf in enumerate(leaves):
        total += len(leaf.text)
        if total > MAX_TEXT:
            return index
    return None
