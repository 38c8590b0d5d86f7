"""Regular expressions carried over to RE2: wider ones for a gate, exact ones to run. Pure.

A *wide* translation matches wherever the original does, and maybe elsewhere; what RE2 cannot say
(look-around, Unicode word borders, back-references) is left out or loosened, never narrowed. It has
two forms, because on pure ASCII text far more can be kept. An *exact* translation has the spans of
the original, on ASCII text only: RE2 prefers the same alternatives as a backtracking engine, and
takes linear time whatever the input.

Unicode classes are taken from the `regex` module, which runs the originals: its tables are not
those of RE2, nor those of Python.
"""

import functools
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import re2
import regex

# `re` has no public way to look into a parsed pattern; this is what it uses itself.
_parser: Final = importlib.import_module("re._parser")
_MAXREPEAT: Final = int(_parser.MAXREPEAT)

_ANY: Final = r"[\x00-\x{10ffff}]"
_BEYOND_ASCII: Final = r"\x{80}-\x{10ffff}"
# Repeats that a wide pattern counts: an automaton that counts further, from any place in a text,
# has a state for each combination of places.
_COUNTED: Final = 8
MEMORY: Final = 8 << 20  # bytes for one program and its automaton, which grows to this under attack

_ASCII_END: Final = 0x80
_ESCAPES: Final = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s"}
_ASCII_CLASS: Final = {
    "CATEGORY_DIGIT": "0-9",
    "CATEGORY_WORD": "0-9A-Za-z_",
    "CATEGORY_SPACE": r"\t-\r\x20",
}


Items = Sequence[tuple[str, Any]]  # of a character class: what each is, and its value


class UntranslatableError(Exception):
    """The pattern says something for which RE2 has no words."""


class Wide(NamedTuple):
    """Two RE2 patterns that match wherever the original does: on ASCII text, and on any text."""

    ascii: str
    unicode: str


def options(memory: int = MEMORY) -> re2.Options:
    """Return the options for every RE2 program here: silent, with bounded memory (in bytes)."""
    made = re2.Options()
    made.log_errors = False
    made.max_mem = memory
    return made


def compiled(pattern: str) -> Any:
    """Return the RE2 program of an RE2 pattern, or raise `UntranslatableError`."""
    try:
        return re2.compile(pattern, options())
    except re2.error as error:
        raise UntranslatableError(pattern) from error


def widened(pattern: str, flags: int) -> Wide:
    """Return the wide translation of a `regex` pattern, or raise `UntranslatableError`."""
    source, fold = _prepared(pattern, flags)
    tree = _parsed(source)
    wide = Wide(
        fold + _AsciiWidener().start(tree) + _AsciiWidener().emit(tree),
        fold + _UnicodeWidener().emit(tree),
    )
    compiled(wide.ascii)
    compiled(wide.unicode)
    return wide


def any_word(words: Iterable[str]) -> Wide:
    """Return a wide pattern that matches where one of the words stands, in any case."""
    return widened("|".join(map(re.escape, words)), regex.IGNORECASE)


def exact(pattern: str, flags: int) -> Any:
    """Return a program with the spans of the original on ASCII text, or `UntranslatableError`."""
    source, fold = _prepared(pattern, flags)
    return compiled(fold + _Copier(bool(flags & regex.DOTALL)).emit(_parsed(source)))


def asks_only_for_words(pattern: str) -> bool:
    r"""Tell whether a pattern asks of a character beyond ASCII only whether `\w` holds it."""
    tree = _parsed(_prepared(pattern, 0)[0])
    return all(_is_blind(name, argument) for name, argument in _leaves(tree))


def may_consist_of(pattern: str, characters: frozenset[str]) -> bool:
    """Return False only where no match of a `regex` pattern, in any case of its letters, is made
    of these ASCII characters alone. They hold each letter in both cases."""
    try:
        tree = _parsed(_prepared(pattern, 0)[0])
    except UntranslatableError:
        return True
    return _consists(tree, characters)


def shortest(pattern: str) -> int:
    """Return the length of the shortest text that a pattern of Python's `re` can match."""
    return int(_parser.parse(pattern).getwidth()[0])


@functools.cache
def unicode_class(escape: str) -> str:
    r"""Return, as the inside of an RE2 class, all that an escape such as `\d` holds in `regex`."""
    halves = ("".join(map(chr, range(0xD800))), "".join(map(chr, range(0xE000, 0x110000))))
    runs = (run.group() for half in halves for run in regex.finditer(f"{escape}+", half))
    return "".join(f"\\x{{{ord(run[0]):x}}}-\\x{{{ord(run[-1]):x}}}" for run in runs)


def _prepared(pattern: str, flags: int) -> tuple[str, str]:
    # An inline (?i) holds for a whole pattern in `regex`, wherever it stands.
    source = pattern.replace("(?i)", "")
    ignores_case = source != pattern or bool(flags & regex.IGNORECASE)
    return source, "(?i)" if ignores_case else ""


def _parsed(source: str) -> Any:
    try:
        return _parser.parse(source)
    except re.error as error:
        raise UntranslatableError(source) from error


def _leaves(tree: Any) -> Iterator[tuple[str, Any]]:
    for code, argument in tree:
        match code.name:
            case "BRANCH":
                for branch in argument[1]:
                    yield from _leaves(branch)
            case "SUBPATTERN":
                yield from _leaves(argument[3])
            case "MAX_REPEAT" | "MIN_REPEAT":
                yield from _leaves(argument[2])
            case "IN":
                yield from ((item.name, value) for item, value in argument)
            case name:
                yield name, argument


def _is_blind(name: str, argument: Any) -> bool:
    match name:
        case "LITERAL":
            return argument < _ASCII_END and not chr(argument).isalpha()
        case "CATEGORY":
            return bool(argument.name == "CATEGORY_WORD")
        case "AT":
            return bool(argument.name == "AT_BOUNDARY")
        case _:
            return False


def _consists(tree: Any, characters: frozenset[str]) -> bool:
    return all(_may_be(code.name, argument, characters) for code, argument in tree)


def _may_be(name: str, argument: Any, characters: frozenset[str]) -> bool:
    """Tell whether a part of a pattern may match some of the characters, or nothing at all."""
    found = True
    match name:
        case "LITERAL":
            found = argument >= _ASCII_END or chr(argument) in characters
        case "IN":
            found = any(_may_be(item.name, value, characters) for item, value in argument)
        case "RANGE":
            low, high = argument
            found = high >= _ASCII_END or any(low <= ord(each) <= high for each in characters)
        case "CATEGORY":
            found = argument.name != "CATEGORY_DIGIT" or any(map(str.isdigit, characters))
        case "BRANCH":
            found = any(_consists(branch, characters) for branch in argument[1])
        case "SUBPATTERN":
            found = _consists(argument[3], characters)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            found = argument[0] == 0 or _consists(argument[2], characters)
    return found


def _point(code: int) -> str:
    return f"\\x{{{code:x}}}"


class _Copier:
    """Writes a parsed pattern in the words of RE2, and refuses what would change a span."""

    def __init__(self, dot_is_any: bool = True) -> None:
        self._dot_is_any = dot_is_any
        self.writers: dict[str, Callable[[Any], str]] = {
            "LITERAL": self.literal,
            "NOT_LITERAL": lambda code: self.klass([("NEGATE", None), ("LITERAL", code)]),
            "ANY": self.dot,
            "IN": lambda items: self.klass([(code.name, value) for code, value in items]),
            "BRANCH": lambda parts: f"(?:{'|'.join(map(self.emit, parts[1]))})",
            "SUBPATTERN": lambda parts: self.group(*parts),
            "MAX_REPEAT": lambda parts: self.repeat(*parts),
            "AT": lambda code: self.border(code.name),
        }

    def emit(self, tree: Any) -> str:
        """Return the tree as written for RE2, or raise `UntranslatableError`."""
        return "".join(self.node(code.name, argument) for code, argument in tree)

    def node(self, name: str, argument: Any) -> str:
        writer = self.writers.get(name)
        if writer is None:
            raise UntranslatableError(name)
        return writer(argument)

    def literal(self, code: int) -> str:
        return _point(code)

    def dot(self, _: None) -> str:
        if not self._dot_is_any:
            raise UntranslatableError("a dot that stops at the end of a line")
        return _ANY

    def klass(self, items: Items) -> str:
        body = "".join(self.member(name, value) for name, value in items if name != "NEGATE")
        return f"[{'^' if _is_negated(items) else ''}{body}]"

    def member(self, name: str, value: Any) -> str:
        match name:
            case "LITERAL":
                return _point(value)
            case "RANGE":
                return f"{_point(value[0])}-{_point(value[1])}"
            case "CATEGORY" if value.name in _ASCII_CLASS:
                return _ASCII_CLASS[value.name]
            case _:
                raise UntranslatableError(name)

    def group(self, number: int | None, added: int, removed: int, body: Any) -> str:
        del number
        if added or removed:
            raise UntranslatableError("flags within the pattern")
        return f"(?:{self.emit(body)})"

    def repeat(self, low: int, high: int, body: Any) -> str:
        # Engines differ in how they leave a loop whose body may be empty.
        if body.getwidth()[0] == 0:
            raise UntranslatableError("repeat of what may be empty")
        return f"(?:{self.emit(body)}){_count(low, high)}"

    def border(self, name: str) -> str:
        if name != "AT_BOUNDARY":
            raise UntranslatableError(name)
        return r"\b"


def _count(low: int, high: int) -> str:
    top = "" if high == _MAXREPEAT else str(high)
    return f"{{{low},{top}}}"


def _is_negated(items: Items) -> bool:
    return any(name == "NEGATE" for name, _ in items)


class _AsciiWidener(_Copier):
    """Writes a pattern that matches wherever the parsed one does, in ASCII text."""

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[int, str] = {}
        self.writers |= {
            "ASSERT": lambda _: "",
            "ASSERT_NOT": lambda _: "",
            "MIN_REPEAT": lambda parts: self.repeat(*parts),
            "POSSESSIVE_REPEAT": lambda parts: self.repeat(*parts),
            "ATOMIC_GROUP": lambda body: f"(?:{self.emit(body)})",
            "GROUPREF": self.again,
        }

    def start(self, tree: Any) -> str:
        """Return what must come before, if the pattern begins by saying what must not."""
        if not len(tree) or tree[0][0].name != "ASSERT_NOT":
            return ""
        direction, refused = tree[0][1]
        if direction > 0 or len(refused) != 1 or refused[0][0].name != "IN":
            return ""
        items = [(code.name, value) for code, value in refused[0][1]]
        if _is_negated(items):
            return ""
        refusing = self.klass([("NEGATE", None), *items])
        return "" if refusing == _ANY else rf"(?:\A|{refusing})"

    def border(self, name: str) -> str:
        return r"\b" if name == "AT_BOUNDARY" else ""

    def klass(self, items: Items) -> str:
        categories = {value.name for name, value in items if name == "CATEGORY"}
        return super().klass(items) if categories <= _ASCII_CLASS.keys() else _ANY

    def group(self, number: int | None, added: int, removed: int, body: Any) -> str:
        if removed or added & ~re.IGNORECASE:
            raise UntranslatableError("flags within the pattern")
        written = f"({'?i' if added else '?'}:{self.emit(body)})"
        if number is not None:
            self._groups[number] = written
        return written

    def again(self, number: int) -> str:
        if number not in self._groups:
            raise UntranslatableError("reference to a group not yet closed")
        return self._groups[number]

    def repeat(self, low: int, high: int, body: Any) -> str:
        top = high if high <= _COUNTED else _MAXREPEAT
        return f"(?:{self.emit(body)}){_count(min(low, _COUNTED), top)}"


class _UnicodeWidener(_AsciiWidener):
    """Writes a pattern that matches wherever the parsed one does, in any text."""

    def border(self, name: str) -> str:
        del name  # where a word ends depends on the tables
        return ""

    def literal(self, code: int) -> str:
        return self.klass([("LITERAL", code)])

    def klass(self, items: Items) -> str:
        # Which other characters a complement leaves out depends on the tables: leave out none.
        return _ANY if _is_negated(items) else super().klass(items)

    def member(self, name: str, value: Any) -> str:
        match name:
            case "LITERAL":
                return _folded_span(value, value)
            case "RANGE":
                return _folded_span(*value)
            case "CATEGORY" if value.name == "CATEGORY_WORD":
                return _ASCII_CLASS[value.name] + _BEYOND_ASCII
            case "CATEGORY":
                return unicode_class(_ESCAPES[value.name])
            case _:
                raise UntranslatableError(name)


def _folded_span(low: int, high: int) -> str:
    # In `regex`, i and I stand for the dotted and the dotless i too; RE2 keeps them apart.
    body = f"{_point(low)}-{_point(high)}"
    if high >= _ASCII_END:
        return f"{body}iI{_BEYOND_ASCII}"
    has_i = any(low <= ord(letter) <= high for letter in "iI")
    return f"{body}iI\\x{{130}}\\x{{131}}" if has_i else body
