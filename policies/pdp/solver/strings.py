"""A text that passes tests: found among likely ones, or proven not to exist, or neither. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any, cast

from policies.pdp.expression.pattern import pattern_test
from policies.pdp.solver.domain import Range
from policies.pdp.solver.literal import OPPOSITE, Literal, Pick, Test
from policies.pdp.solver.numbers import pick as pick_number
from policies.pdp.solver.numbers import span
from policies.pdp.solver.samples import plain, samples

_FRESH = ("other", "another", "third", "fourth", "fifth", "sixth", "zz")
_LENGTH: Range = (0, float("inf"))
_LENGTH_MAX = 4096
_PARTS_MAX = 4


def pick(
    literals: Sequence[Literal], wanted: Sequence[str], avoid: frozenset[str] = frozenset()
) -> Pick:
    """Return a text that passes, one of `wanted` where one does, none of `avoid`."""
    tests = [_simple(literal) for literal in literals]
    only = _listed(tests)
    if only is not None:
        fits = [text for text in only if _passes(text, tests)]
        left = [text for text in fits if text not in avoid]
        return Pick(left[0]) if left else Pick(None, certain=not fits)
    for text in (*wanted, *_candidates(tests)):
        if text not in avoid and _passes(text, tests):
            return Pick(text)
    return Pick(None, certain=not avoid and _impossible(tests))


def _passes(text: str, literals: Iterable[Literal]) -> bool:
    return all(_meets(text, literal) == literal.holds for literal in literals)


def _meets(text: str, literal: Literal) -> bool:
    if literal.sized:
        left = span([literal._replace(sized=False, holds=True)], _LENGTH, whole=True)
        return pick_number(left, len(text), whole=True) == len(text)
    return _MEANING[literal.test](text, literal.value)


_MEANING: Mapping[Test, Callable[[str, Any], bool]] = {
    "==": lambda text, value: bool(text == value),
    "in": lambda text, values: text in values,
    "<": lambda text, value: bool(text < value),
    "<=": lambda text, value: bool(text <= value),
    ">": lambda text, value: bool(text > value),
    ">=": lambda text, value: bool(text >= value),
    "startsWith": lambda text, value: text.startswith(value),
    "endsWith": lambda text, value: text.endswith(value),
    "contains": lambda text, value: value in text,
    "matches": lambda text, value: pattern_test(value)(text),
}


def _simple(literal: Literal) -> Literal:
    """Return a comparison that does not hold as the opposite one that does, and a pattern that is
    only a fixed text as the plain test that it is."""
    opposite = OPPOSITE.get(literal.test)
    if opposite is not None and not literal.holds:
        return literal._replace(test=opposite, holds=True)
    if literal.test != "matches":
        return literal
    found = plain(str(literal.value))
    return literal if found is None else literal._replace(test=found[0], value=found[1])


def _listed(literals: Iterable[Literal]) -> list[str] | None:
    """Return all texts that tests of equality leave, or None where there is no such test."""
    only: list[str] | None = None
    for literal in literals:
        if literal.holds and not literal.sized and literal.test in ("==", "in"):
            values = cast(
                "tuple[str, ...]", literal.value if literal.test == "in" else (literal.value,)
            )
            only = [v for v in (values if only is None else only) if v in values]
    return only


def _held(literals: Iterable[Literal], test: str) -> list[str]:
    return [
        str(literal.value)
        for literal in literals
        if literal.holds and literal.test == test and not literal.sized
    ]


def _candidates(literals: Sequence[Literal]) -> Iterator[str]:
    """Yield texts put together from what they must begin with, hold and end in."""
    start = max(_held(literals, "startsWith"), key=len, default="")
    end = max(_held(literals, "endsWith"), key=len, default="")
    parts = _held(literals, "contains")
    for bound in (*_held(literals, ">="), *_held(literals, ">")):
        parts.append(bound)
    for pattern in _held(literals, "matches"):
        for sample in samples(pattern):
            yield from (sample, start + sample + end)
    for middle in _middles(parts):
        yield from _joined(start, middle, end)
    for bound in (*_held(literals, ">="), *_held(literals, ">")):
        yield from (bound, bound + "\x01", bound + "a")
    yield from _of_length(literals, start + "".join(parts), end)


def _middles(parts: Sequence[str]) -> Iterator[str]:
    yield ""
    for chosen in permutations(parts[:_PARTS_MAX]):
        yield "".join(chosen)
        yield "-".join(chosen)


def _joined(start: str, middle: str, end: str) -> Iterator[str]:
    for overlap in range(min(len(start), len(end)), -1, -1):
        if start[len(start) - overlap :] == end[:overlap] and not middle:
            yield start + end[overlap:]
    yield start + middle + end
    for fresh in _FRESH:
        yield f"{start}{fresh}{middle}{end}"
        yield f"{start}{middle}{fresh}{end}"


def _of_length(literals: Sequence[Literal], start: str, end: str) -> Iterator[str]:
    sizes = [literal._replace(sized=False) for literal in literals if literal.sized]
    if sizes:
        length = pick_number(span(sizes, _LENGTH, whole=True), len(start) + len(end), whole=True)
        if length is not None and length <= _LENGTH_MAX:
            yield start + "x" * (int(length) - len(start) - len(end)) + end


def _impossible(literals: Sequence[Literal]) -> bool:
    """Say whether tests provably exclude one another, for reasons that need no example."""
    sizes = [literal._replace(sized=False) for literal in literals if literal.sized]
    pieces = [
        len(str(literal.value))
        for literal in literals
        if literal.holds
        and literal.test in ("startsWith", "endsWith", "contains")
        and not literal.sized
    ]
    room = span(sizes, (max(pieces, default=0), float("inf")), whole=True)
    if pick_number(room, 0, whole=True) is None:
        return True
    texts = [literal for literal in literals if not literal.sized]
    return any(map(_never, texts)) or any(
        _exclude(one, other) or _exclude(other, one) for one, other in combinations(texts, 2)
    )


def _never(literal: Literal) -> bool:
    """Say whether no text at all passes."""
    if literal.test == "<":
        return literal.value == ""
    always = literal.test in ("startsWith", "endsWith", "contains") and literal.value == ""
    return always and not literal.holds


def _exclude(one: Literal, other: Literal) -> bool:
    """Say whether no text passes both, as far as that can be told from `one` that holds."""
    if one[:3] == other[:3] and one.holds != other.holds:
        return True
    if not isinstance(one.value, str) or not isinstance(other.value, str):
        return False
    ordered = _above(one), _below(other)
    if ordered[0] is not None and ordered[1] is not None:
        strict = ordered[0][1] or ordered[1][1]
        return ordered[0][0] > ordered[1][0] or (strict and ordered[0][0] == ordered[1][0])
    if not one.holds or one.test not in ("startsWith", "endsWith", "contains"):
        return False
    return _piece_excludes(one.test, one.value, other)


def _piece_excludes(test: str, piece: str, other: Literal) -> bool:
    """`piece` is at the start, at the end or somewhere in the text: can `other` still pass?"""
    value = str(other.value)
    if other.test == "contains" and not other.holds:
        return value in piece
    if test == other.test == "startsWith":
        return _ends_apart(piece, value, holds=other.holds)
    if test == other.test == "endsWith":
        return _ends_apart(piece[::-1], value[::-1], holds=other.holds)
    return False


def _ends_apart(piece: str, value: str, *, holds: bool) -> bool:
    if not holds:
        return piece.startswith(value)
    return not piece.startswith(value) and not value.startswith(piece)


def _above(literal: Literal) -> tuple[str, bool] | None:
    """Return the text above which a value lies, and whether it is not that text itself."""
    return (str(literal.value), literal.test == ">") if literal.test in (">", ">=") else None


def _below(literal: Literal) -> tuple[str, bool] | None:
    return (str(literal.value), literal.test == "<") if literal.test in ("<", "<=") else None
