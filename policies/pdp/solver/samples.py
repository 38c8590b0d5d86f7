"""Texts that a pattern may match: good guesses, which are always tried before they count. Pure."""

import re
from collections.abc import Iterator

from policies.pdp.solver.literal import Test

_META = re.compile(r"[.^$*+?()\[\]{}|\\]")
_ESCAPED = re.compile(r"\\([^0-9A-Za-z])")
_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "b": "", "n": "\n"}
_TOKEN = re.compile(
    r"""
      \\(?P<escape>.)
    | \[(?P<set>\^?\]?[^\]]*)\]
    | (?P<group>\((?:\?P?<\w+>|\?[a-zA-Z-]*:|\?[a-zA-Z-]+(?=\)))?)
    | (?P<close>\))
    | (?P<or>\|)
    | (?P<many>[*?]|\{0,?\d*\})
    | (?P<more>\+|\{\d+,?\d*\})
    | (?P<anchor>[\^$])
    | (?P<char>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def plain(pattern: str) -> tuple[Test, str] | None:
    """Return the test that the pattern is, where it is a fixed text with or without anchors."""
    start, end = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    body = pattern[start : len(pattern) - end]
    text = _ESCAPED.sub("", body)
    if _META.search(text):
        return None
    fixed = _ESCAPED.sub(r"\1", body)
    if start and end:
        return "==", fixed
    return ("startsWith", fixed) if start else ("endsWith" if end else "contains", fixed)


def samples(pattern: str) -> Iterator[str]:
    """Yield texts that the pattern may match: with as little as it asks for, and with more."""
    for generous in (False, True):
        yield _sample(pattern, generous=generous)


def _sample(pattern: str, *, generous: bool) -> str:
    """Walk over the pattern: of alternatives the first is taken."""
    depth, skipping = 0, 0
    parts: list[list[str]] = [[]]
    for found in _TOKEN.finditer(pattern):
        kind = found.lastgroup
        if kind == "group":
            depth += 1
            parts.append([])
        elif kind == "close" and len(parts) > 1:
            skipping = 0 if skipping == depth else skipping
            depth -= 1
            inner = "".join(parts.pop())
            parts[-1].append(inner)
        elif kind == "or" and not skipping:
            skipping = depth or -1
        elif not skipping:
            _take(parts[-1], found, generous=generous)
    return "".join("".join(part) for part in parts)


def _take(made: list[str], found: re.Match[str], *, generous: bool) -> None:
    kind, text = found.lastgroup, found.group()
    if kind == "many":
        if made and not generous:
            made.pop()
    elif kind == "more":
        least = int(re.sub(r"\D.*", "", text[1:]) or 1) if text != "+" else 1
        made.append(made[-1] * (least - 1) if made else "")
    elif kind == "escape":
        made.append(_CLASSES.get(found["escape"], found["escape"]))
    elif kind == "set":
        made.append(_of_set(found["set"]))
    elif kind == "char":
        made.append("x" if text == "." else text)


def _of_set(inside: str) -> str:
    if inside.startswith("^"):
        return next((char for char in "x0-_ " if char not in inside), "x")
    if inside.startswith("\\") and len(inside) > 1:
        return _CLASSES.get(inside[1], inside[1])
    return inside[:1]
