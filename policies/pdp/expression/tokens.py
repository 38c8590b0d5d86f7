"""A condition as tokens with their offsets. Pure."""

import re
import sys
from dataclasses import dataclass
from typing import Literal, NoReturn

LENGTH_MAX = 4096

TokenKind = Literal["word", "int", "double", "string", "sign", "end"]


class ExpressionError(Exception):
    """A condition is wrong at one offset of its text."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` is as written, except for a string, whose escapes are resolved."""

    kind: TokenKind
    text: str
    at: int


_TOKEN = re.compile(
    r"""
      (?P<blank> [ \t\r\n]+ )
    | (?P<double> [0-9]+ (?: \.[0-9]+ (?:[eE][-+]?[0-9]+)? | [eE][-+]?[0-9]+ ) )
    | (?P<int> [0-9]+ )
    | (?P<word> [A-Za-z_][A-Za-z_0-9]* )
    | (?P<string> "(?:[^"\\\r\n]|\\[^\r\n])*" | '(?:[^'\\\r\n]|\\[^\r\n])*' )
    | (?P<sign> && | \|\| | [=!<>]= | [<>!().,\[\]-] )
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8})|(?P<one>.))")
_ONE = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'"}
_ESCAPES_KNOWN = r"known are \n \r \t \\ \" \' \uXXXX \UXXXXXXXX"

_WRONG_START = {
    "=": ("a single = is no comparison", "write =="),
    "&": ("a single & is no operator", "write &&"),
    "|": ("a single | is no operator", "write ||"),
    "/": ("there are no comments and no division in a condition", "comment beside it, after a #"),
    '"': ("the string does not end", 'close it with "'),
    "'": ("the string does not end", "close it with '"),
    "?": ("there is no a ? b : c", "write two rules"),
}
_NO_CHARACTERS = frozenset({0, *range(0xD800, 0xE000)})
_NONE_OF_THESE = re.compile("[\x00\ud800-\udfff]")
_ARITHMETIC = ("arithmetic is not part of the language", "compare with a constant instead")
_SUFFIX = re.compile(r"[A-Za-z_0-9.]")


def tokenize(text: str, length_max: int = LENGTH_MAX) -> list[Token]:
    """Return the tokens of `text`, the last one of kind "end"; raise ExpressionError."""
    if len(text) > length_max:
        raise ExpressionError(0, f"the condition is longer than {length_max} characters")
    if (wrong := _NONE_OF_THESE.search(text)) is not None:
        raise ExpressionError(wrong.start(), "U+0000 and lone surrogates are refused")
    tokens = []
    offset = 0
    while offset < len(text):
        match = _TOKEN.match(text, offset)
        if match is None:
            _refuse(text, offset)
        token = _token(match)
        if token is not None:
            tokens.append(token)
        offset = match.end()
    tokens.append(Token("end", "", offset))
    return tokens


def _token(match: re.Match[str]) -> Token | None:
    at, text = match.start(), match.group()
    match match.lastgroup:
        case "word":
            return Token("word", text, at)
        case "sign":
            return Token("sign", text, at)
        case "string":
            return Token("string", _unescape(text[1:-1], at + 1), at)
        case "int":
            return Token("int", _whole(match), at)
        case "double":
            return Token("double", _whole(match), at)
    return None


def _whole(match: re.Match[str]) -> str:
    """Return the number, unless letters stick to it: 10u, 0x1F and 1.2.3 are no numbers here."""
    after = match.string[match.end() : match.end() + 1]
    if _SUFFIX.match(after):
        raise ExpressionError(match.start(), "this is no number", "write it as 12 or 12.5")
    return match.group()


def _refuse(text: str, offset: int) -> NoReturn:
    char = text[offset]
    if char in "+*%":
        raise ExpressionError(offset, *_ARITHMETIC)
    if char in _WRONG_START:
        raise ExpressionError(offset, *_WRONG_START[char])
    raise ExpressionError(offset, f"unexpected character {char!r}")


def _unescape(body: str, at: int) -> str:
    parts = []
    offset = 0
    for match in _ESCAPE.finditer(body):
        parts += [body[offset : match.start()], _escaped(match, at + match.start())]
        offset = match.end()
    parts.append(body[offset:])
    return "".join(parts)


def _escaped(match: re.Match[str], at: int) -> str:
    one, digits = match["one"], match["four"] or match["eight"]
    if one:
        if one not in _ONE:
            raise ExpressionError(at, f"unknown escape \\{one}", _ESCAPES_KNOWN)
        return _ONE[one]
    code = int(digits, 16)
    if code in _NO_CHARACTERS or code > sys.maxunicode:
        raise ExpressionError(at, f"the escape {match.group()} names no allowed character")
    return chr(code)
