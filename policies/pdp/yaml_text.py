"""YAML text to nodes: the YAML 1.2 core schema, nothing that refers, tags or repeats. Pure.

Only the library's scanner and parser are used, for events with exact marks. What a scalar means is
decided here, so that `on`, `no` and `12:30` are the strings that they look like.
"""

import math
import re
from typing import NoReturn, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark
from ruamel.yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from policies.pdp.nodes import (
    SPACES,
    Listing,
    Mapping,
    Node,
    Origin,
    Place,
    Scalar,
    fault,
    place_of,
)
from policies.pdp.problem import split_lines

BYTES_MAX = 64 * 1024
DEPTH_MAX = 16
NODES_MAX = 20_000

# Control characters, lone surrogates and non-characters that YAML forbids; the byte order mark,
# which the scanner does not count in columns; and the line breaks of YAML 1.1 that 1.2 gave up.
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DIRECTIVE = re.compile(r"(?:\A|[\r\n])(?P<sign>%)")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_FLOAT_NAMED = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIGITS_MAX = 40
_BARE_CONDITION = re.compile(r"\s*(?:-\s+)?when\s*:\s*(?P<value>\S?)")

_TAG_MESSAGE = "an unquoted ! starts a YAML tag"
_TAG_HINT = 'put the whole value in quotes, as in when: "!user.present"'
_QUOTE_HINT = "put the whole condition in quotes, or write when: >- and the condition below it"


def read_yaml(text: str, *, bytes_max: int = BYTES_MAX, nodes_max: int = NODES_MAX) -> Node:
    """Return the root of the one document in `text`; raise PolicyError at the first fault."""
    if len(text.encode("utf-8", "surrogatepass")) > bytes_max:
        raise fault((1, 1), f"the document is larger than {bytes_max} bytes")
    text = text.removeprefix("\ufeff")
    refused = _REFUSED.search(text)
    if refused:
        code = f"U+{ord(refused.group()):04X}"
        hint = "write it as an escape in double quotes, or leave it out"
        raise fault(place_of(text, refused.start()), f"the character {code} is refused", hint)
    directive = _DIRECTIVE.search(text)
    if directive:
        raise fault(place_of(text, directive.start("sign")), "directives (%...) are refused")
    return _Composer(text, nodes_max).document()


class _Composer:
    """Turns the parser's events into nodes, as deep and as many as allowed."""

    def __init__(self, text: str, nodes_max: int) -> None:
        self._text = text
        self._nodes_max = nodes_max
        self._yaml = YAML(typ="safe", pure=True)
        self._parser = self._yaml.get_constructor_parser(text)[1]
        self._nodes = 0

    def document(self) -> Node:
        self._next()
        if isinstance(self._next(), StreamEndEvent):
            raise fault((1, 1), "the document is empty")
        root = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            raise fault(_at(after.start_mark), "a second document is refused: one file, one policy")
        return root

    def _next(self) -> Event:
        try:
            return cast("Event", self._parser.get_event())
        except MarkedYAMLError as error:
            self._refuse(_at(error.problem_mark), str(error.problem))
        except (ValueError, OverflowError):
            # An escape such as "\UFFFFFFFF" names no character; the mark stands behind its U.
            line, column = _at(self._yaml.reader.get_mark())
            raise fault((line, column - 2), "this escape names no character") from None

    def _refuse(self, at: Place, message: str) -> NoReturn:
        """Raise the error, with the usual cause where a bare condition stands on its line."""
        bare = self._bare_condition(at)
        if bare and bare["value"] == "!":
            self._refuse_tag((at[0], bare.start("value") + 1))
        raise fault(at, f"YAML: {message}", _QUOTE_HINT if bare else "") from None

    @staticmethod
    def _refuse_tag(at: Place) -> NoReturn:
        raise fault(at, _TAG_MESSAGE, _TAG_HINT) from None

    def _bare_condition(self, at: Place) -> re.Match[str] | None:
        return _BARE_CONDITION.match(split_lines(self._text)[at[0] - 1])

    def _node(self, event: Event, depth: int) -> Node:
        at = _at(event.start_mark)
        self._nodes += 1
        if self._nodes > self._nodes_max:
            raise fault(at, f"the document has more than {self._nodes_max} values")
        if depth > DEPTH_MAX:
            raise fault(at, f"values are nested more than {DEPTH_MAX} deep")
        if isinstance(event, AliasEvent):
            raise fault(at, "aliases (*name) are refused: write the value out")
        # Whatever is no alias and begins a value may carry a tag and an anchor.
        self._refuse_properties(cast("ScalarEvent | CollectionStartEvent", event), at)
        if isinstance(event, SequenceStartEvent):
            return self._listing(at, depth)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, at)
        return self._mapping(at, depth)

    def _refuse_properties(self, event: ScalarEvent | CollectionStartEvent, at: Place) -> None:
        if event.tag is not None:
            # With an anchor behind it, as in `when: !a && b`, the mark is the anchor's.
            bare = self._bare_condition(at)
            self._refuse_tag((at[0], bare.start("value") + 1) if bare else at)
        if event.anchor is not None:
            raise fault(at, "anchors (&name) are refused")

    def _listing(self, at: Place, depth: int) -> Listing:
        items = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Listing(tuple(items), at)

    def _mapping(self, at: Place, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise fault(key.at, "a key must be a word")
            if key.text in entries:
                first = entries[key.text][0].at[0]
                raise fault(key.at, f'the key "{key.text}" stands twice, first in line {first}')
            entries[key.text] = (key, self._node(self._next(), depth + 1))
        return Mapping(tuple(entries.values()), at)

    def _scalar(self, event: ScalarEvent, at: Place) -> Scalar:
        text, style = str(event.value), str(event.style or "")
        if UNSTORABLE.search(text):
            hint = "write the character itself, or its code as eight digits after \\U"
            raise fault(at, "U+0000 and surrogates are refused, escaped too", hint)
        start, end = event.start_mark.index, event.end_mark.index
        if start == end:
            # No value at all: its mark may lie lines further on, its place is behind the key.
            start = end = len(self._text[:start].rstrip(SPACES))
            at = place_of(self._text, start)
        origin = Origin(self._text, start, end, style)
        return Scalar(text if style else _resolve(text, at), text, at, origin)


def _resolve(text: str, at: Place) -> bool | int | float | str | None:
    """Return what a plain scalar means in the core schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return _number(text, at)


def _number(text: str, at: Place) -> int | float | str:
    if _INT.fullmatch(text):
        if len(text) > _DIGITS_MAX:
            raise fault(at, f"a number of more than {_DIGITS_MAX} digits is refused")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text, 10)
    if _FLOAT.fullmatch(text):
        return float(text)
    named = _FLOAT_NAMED.fullmatch(text)
    if named:
        return math.nan if named[3] else float(f"{named[1]}inf")
    return text


def _at(mark: StreamMark) -> Place:
    return mark.line + 1, mark.column + 1
