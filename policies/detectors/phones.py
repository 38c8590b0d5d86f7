"""Phone numbers of declared regions, as `PhoneNumberMatcher` finds them, in one walk for all.

The stock recognizer walks the text once for each region, trying a pattern at each character. What
may be a number at all does not depend on the region, so the candidates are found once here, and one
is parsed for a region only if it has the digits that a valid number there must have. The matcher's
own steps do the rest; some of them are private to it.
"""

import functools
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberMatch, PhoneNumberMatcher
from phonenumbers.phonemetadata import NumberFormat, PhoneMetadata
from phonenumbers.phonenumbermatcher import _PATTERN
from phonenumbers.phonenumberutil import (
    _EXTN_PATTERNS_FOR_MATCHING,
    _SECOND_NUMBER_START_PATTERN,
    _VALID_PUNCTUATION,
    _choose_formatting_pattern_for_number,
    _formatting_rule_has_first_group_only,
)
from phonenumbers.re_util import enable_pattern_cache

from policies.detectors.patterns import Wide, shortest, unicode_class

KIND: Final = "PHONE_NUMBER"
SCORE: Final = 0.4
CONTEXT: Final = ("phone", "number", "telephone", "cell", "cellphone", "mobile", "call")
SUPPORTED_REGIONS: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)

_TYPES: Final = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_MOST_PARSED: Final = 20_000  # candidates, over all regions: about two seconds
_NEVER: Final = r"(?!)"
_PLUS: Final = ("+", "\uff0b")
_ONLY_DIGITS: Final = re.compile(r"[0-9]*")  # not so with an extension, or digits beyond ASCII
_NOT_DIGITS: Final = {ord(character): None for character in "-+()[]./ "}
_GAP: Final = f"[{_VALID_PUNCTUATION}]{{0,4}}"  # between two digits of a number
_LEAD: Final = f"[{_VALID_PUNCTUATION}{''.join(_PLUS)}]{{0,9}}"  # between its start and its digits


class TooManyNumbersError(ValueError):
    """A text holds more that may be numbers than there is time to look at."""


class Candidate(NamedTuple):
    """What may be a number anywhere: `digits` is its text without the common punctuation."""

    start: int
    text: str
    digits: str
    has_plus: bool


@dataclass(frozen=True, slots=True)
class Region:
    """What a candidate must hold to be worth parsing as a number dialled in a region.

    `least` counts digits; `inside` finds the digits of a number of the country, `whole` finds them
    at the end (none: they cannot be told); `abroad` is a prefix for foreign countries with enough
    digits after it; `prefixed` matches digits that may begin with a prefix of any kind, and
    `formats` say which numbers must have one.
    """

    code: str
    least: int
    inside: re.Pattern[str] | None
    whole: re.Pattern[str] | None
    abroad: re.Pattern[str]
    prefixed: re.Pattern[str]
    formats: list[NumberFormat]

    def may_find(self, candidate: Candidate) -> bool:
        """Tell whether a valid number may be in a candidate, as a whole or in part."""
        digits = candidate.digits
        if len(digits) < min(self.least, _least_international()):
            return False
        if self.inside is None or candidate.has_plus or not _ONLY_DIGITS.fullmatch(digits):
            return True
        return self.inside.search(digits) is not None or self.abroad.search(digits) is not None

    def may_be(self, candidate: Candidate) -> bool:
        """Tell whether a candidate, as a whole, may be a valid number."""
        digits = candidate.digits
        if self.whole is None or candidate.has_plus or not _ONLY_DIGITS.fullmatch(digits):
            return True
        if self.abroad.match(digits):
            return True
        return self.whole.search(digits) is not None and not self._lacks_prefix(digits)

    def _lacks_prefix(self, digits: str) -> bool:
        """Tell whether digits are a number that is only dialled with a prefix, and have none."""
        if self.prefixed.match(digits):
            return False
        written = _choose_formatting_pattern_for_number(self.formats, digits)
        rule = written.national_prefix_formatting_rule if written else None
        if written is None or not rule or written.national_prefix_optional_when_formatting:
            return False
        return not _formatting_rule_has_first_group_only(rule)


class Phones:
    """Finds phone numbers of some regions. Metadata and patterns are loaded when it is made."""

    def __init__(self, regions: Iterable[str]) -> None:
        codes = sorted(set(regions))
        unknown = set(codes) - SUPPORTED_REGIONS
        if unknown or not codes:
            raise ValueError(
                f"no phone numbers known for {', '.join(sorted(unknown)) or 'nowhere'}"
            )
        enable_pattern_cache()
        self._regions = tuple(map(_region, codes))
        self._least = min(region.least for region in self._regions)
        self._start = _start(min(self._least, _least_international()))
        for region in self._regions:  # loads what is loaded at first use
            list(PhoneNumberMatcher("+1 212 555 0147, 030 123456", region.code))

    def wide(self) -> Wide:
        """Return the wide pattern of all that may be a number of these regions."""
        return Wide(*(self._written(digit) for digit in ("0-9", unicode_class(r"\d"))))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where the text holds a valid number of one of the regions.

        Raises `TooManyNumbersError` for a text of some hundred kilobytes of nothing but numbers.
        """
        walk = _Walk(text, self._start)
        matches = (match for region in self._regions for match in _Matcher(walk, region))
        return sorted({(match.start, match.end) for match in matches})

    def _written(self, digit: str) -> str:
        national = f"[{digit}](?:{_GAP}[{digit}]){{{self._least - 1}}}"
        abroad = f"[{digit}](?:{_GAP}[{digit}]){{{_least_international() - 1}}}"
        return f"(?i)(?:{national}|[{''.join(_PLUS)}]{_LEAD}{abroad})"


class _Walk:
    """The candidates of a text, each looked for once, whichever region asks from where."""

    def __init__(self, text: str, start: re.Pattern[str]) -> None:
        self.text = text
        self.parsed = 0
        self._start = start
        self._next: dict[int, Candidate | None] = {}

    def next_from(self, index: int) -> Candidate | None:
        """Return the first candidate at or after an index."""
        if index not in self._next:
            self._next[index] = self._search(index)
        return self._next[index]

    def _search(self, index: int) -> Candidate | None:
        start = self._start.search(self.text, index)
        while start is not None:
            match = _PATTERN.match(self.text, start.start())
            if match is not None:
                return _candidate(match.start(), match.group())
            start = self._start.search(self.text, start.start() + 1)
        return None


def _start(least: int) -> re.Pattern[str]:
    """Return a pattern for where a candidate may begin that has at least so many digits.

    One with fewer is left out, unless it has an extension: what follows is not looked at twice.
    """
    rest = f"(?:{_GAP}\\d){{{max(0, least - 2)}}}"
    first = rf"[\d(\[\uff08\uff3b{''.join(_PLUS)}]"
    return re.compile(f"(?i){first}(?:{_LEAD}\\d{rest}|{_EXTN_PATTERNS_FOR_MATCHING})")


def _candidate(start: int, text: str) -> Candidate:
    second = _SECOND_NUMBER_START_PATTERN.search(text)
    if second is not None:
        text = text[: second.start()]
    has_plus = any(plus in text for plus in _PLUS)
    return Candidate(start, text, text.translate(_NOT_DIGITS), has_plus)


class _Matcher(PhoneNumberMatcher):
    """The stock matcher, fed with the candidates of the walk that are worth its while."""

    def __init__(self, walk: _Walk, region: Region) -> None:
        # Stock gives up on a text after 65,535 failures; here the length of a text is the bound.
        super().__init__(walk.text, region.code, max_tries=sys.maxsize)
        self._walk = walk
        self._region = region

    def _find(self, index: int) -> PhoneNumberMatch | None:
        while (candidate := self._walk.next_from(index)) is not None:
            if self._region.may_find(candidate):
                found = self._extract_match(candidate.text, candidate.start)
                if found is not None:
                    return found
            index = candidate.start + len(candidate.text)
        return None

    def _parse_and_verify(self, candidate: str, offset: int) -> PhoneNumberMatch | None:
        if not self._region.may_be(_candidate(offset, candidate)):
            return None
        self._walk.parsed += 1
        if self._walk.parsed > _MOST_PARSED:
            raise TooManyNumbersError
        return super()._parse_and_verify(candidate, offset)


def _region(code: str) -> Region:
    metadata = PhoneMetadata.metadata_for_region(code)
    if metadata is None:
        raise ValueError(f"no phone numbers known for {code}")
    abroad = metadata.international_prefix or _NEVER
    calling_code = phonenumbers.country_code_for_region(code)
    same_code = _metadata_of(calling_code)
    patterns = None if _added(metadata) else "|".join(_patterns(same_code))
    return Region(
        code=code,
        least=min(
            min(map(_fewest_digits, same_code)) - _added(metadata),
            shortest(abroad) + _least_international(),
        ),
        inside=re.compile(patterns) if patterns else None,
        whole=re.compile(f"(?:{patterns})\\Z") if patterns else None,
        abroad=re.compile(f"(?:{abroad})[0-9]{{{_least_international()}}}"),
        prefixed=re.compile("|".join([abroad, str(calling_code), *_prefixes(same_code)])),
        formats=same_code[0].number_format,
    )


def _metadata_of(calling_code: int) -> list[PhoneMetadata]:
    """Return what is known of all regions that share a calling code, the main one first.

    A number dialled in one of them is valid if it is so in any, and written as in the main one.
    """
    return [
        metadata
        for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[calling_code]
        if (metadata := PhoneMetadata.metadata_for_region_or_calling_code(calling_code, region))
    ]


def _prefixes(known: Iterable[PhoneMetadata]) -> list[str]:
    """Return the patterns of what may be dialled before a national number."""
    return [each.national_prefix_for_parsing for each in known if each.national_prefix_for_parsing]


def _patterns(known: Iterable[PhoneMetadata]) -> list[str]:
    """Return the patterns of the types of number, one of which a valid number must match."""
    descriptions = (getattr(metadata, name) for metadata in known for name in _TYPES)
    patterns = (each.national_number_pattern for each in descriptions if each is not None)
    return list(dict.fromkeys(pattern for pattern in patterns if pattern))


def _fewest_digits(metadata: PhoneMetadata) -> int:
    lengths = metadata.general_desc.possible_length if metadata.general_desc else ()
    possible = min(length for length in lengths if length > 0)
    return max(possible, min(map(shortest, _patterns([metadata]))))


def _added(metadata: PhoneMetadata) -> int:
    """Return how many digits a region's rule may add to those dialled (an area code, mostly)."""
    rule = metadata.national_prefix_transform_rule
    return len(re.findall(r"(?<!\\)\d", rule)) if rule else 0


@functools.cache
def _least_international() -> int:
    """Return the fewest digits of a valid number that begins with its country code."""
    return min(
        len(str(calling_code)) + _fewest_digits(metadata) - _added(metadata)
        for calling_code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE
        for metadata in _metadata_of(calling_code)
    )
