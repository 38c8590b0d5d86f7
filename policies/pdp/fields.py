"""Nodes to typed values, with every fault gathered at its place. Pure."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from policies.pdp.nodes import Listing, Mapping, Node, Place, Scalar, fault
from policies.pdp.problem import PolicyError, Problem, closest

T = TypeVar("T")
Read = Callable[[Node], T]
"""Turns a node into a value or raises PolicyError."""


class Fields:
    """The keys of one mapping. Read each, then `finish`: only then are the values to be trusted.

    A value that cannot be read is noted and replaced, so that one pass finds all faults. Keys of
    the wider language that this version does not have are `later`, with the reason if there is one.
    """

    def __init__(
        self,
        node: Node,
        what: str,
        known: Iterable[str],
        later: Iterable[str] | dict[str, str] = (),
    ) -> None:
        if not isinstance(node, Mapping):
            raise fault(node.at, f"{what} must be keys with values, as in key: value")
        self.at = node.at
        self._what = what
        self._problems: list[Problem] = []
        self._entries = {key.text: (key, value) for key, value in node.entries}
        known = tuple(known)
        later = later if isinstance(later, dict) else dict.fromkeys(later, "")
        for key, _ in node.entries:
            if key.text not in known:
                self._unknown(key, known, later)

    def _unknown(self, key: Scalar, known: tuple[str, ...], later: dict[str, str]) -> None:
        if key.text in later:
            reason = f": {later[key.text]}" if later[key.text] else ""
            message = f"{key.text} is not available in this version{reason}"
            self.note(key.at, message, f"available: {', '.join(known)}")
            return
        hint = closest(key.text, known) or f"known: {', '.join(known)}"
        self.note(key.at, f'{self._what} has no key "{key.text[:64]}"', hint)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def key_at(self, key: str) -> Place:
        """Return the place of a key that is there."""
        return self._entries[key][0].at

    def value_at(self, key: str) -> Place:
        """Return the place of the value of a key that is there."""
        return self._entries[key][1].at

    def node(self, key: str) -> Node | None:
        """Return the node of a key, or None."""
        return self._entries[key][1] if key in self._entries else None

    def required(self, key: str, read: Read[T], otherwise: T) -> T:
        """Return the value of a key that must be there."""
        if key not in self._entries:
            self.note(self.at, f"{self._what} needs the key {key}")
        return self.optional(key, read, otherwise)

    def optional(self, key: str, read: Read[T], default: T) -> T:
        """Return the value of a key, or `default` where it is not there."""
        node = self.node(key)
        return default if node is None else self.attempt(lambda: read(node), default)

    def attempt(self, read: Callable[[], T], otherwise: T) -> T:
        """Return what `read` returns; note what it raises."""
        try:
            return read()
        except PolicyError as error:
            self._problems += error.problems
            return otherwise

    def note(self, at: Place, message: str, hint: str = "") -> None:
        """Note one more fault."""
        self._problems.append(Problem(at[0], at[1], message, hint))

    @property
    def faulty(self) -> bool:
        """True where something was noted."""
        return bool(self._problems)

    def finish(self) -> None:
        """Raise PolicyError with all that was noted, if anything was."""
        if self._problems:
            raise PolicyError(self._problems)


def text(longest: int, *, empty: bool = False) -> Read[Scalar]:
    """Read a text of at most so many characters; what is returned has it in `text`."""

    def read(node: Node) -> Scalar:
        scalar = _string(node)
        if not scalar.text.strip() and not empty:
            raise fault(node.at, "the text is empty")
        if len(scalar.text) > longest:
            raise fault(node.at, f"the text is longer than {longest} characters")
        return scalar

    return read


def word(pattern: re.Pattern[str], what: str) -> Read[str]:
    """Read a text that matches `pattern` as a whole; `what` says in words what that is."""

    def read(node: Node) -> str:
        value = _string(node).text
        if not pattern.fullmatch(value):
            raise fault(node.at, f'"{value[:64]}" is not {what}')
        return value

    return read


def choice(options: Iterable[T], later: Iterable[str] = ()) -> Read[T]:
    """Read one of these texts."""
    known = {str(option): option for option in options}
    early = frozenset(later)

    def read(node: Node) -> T:
        value = _string(node).text
        if value in known:
            return known[value]
        listed = ", ".join(known)
        if value in early:
            message = f"{value} is not available in this version"
            raise fault(node.at, message, f"available: {listed}")
        hint = closest(value, known)
        raise fault(node.at, f'expected one of {listed}, found "{value[:64]}"', hint)

    return read


def whole(low: int, high: int) -> Read[int]:
    """Read a whole number of this range."""

    def read(node: Node) -> int:
        value = _value(node)
        if not isinstance(value, int) or isinstance(value, bool):
            raise fault(node.at, f"expected a whole number, found {_describe(node)}")
        if not low <= value <= high:
            raise fault(node.at, f"{value} is not between {low} and {high}")
        return value

    return read


def decimal(low: float, high: float) -> Read[float]:
    """Read a number of this range; a whole one will do."""

    def read(node: Node) -> float:
        value = _value(node)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise fault(node.at, f"expected a number, found {_describe(node)}")
        if not low <= value <= high:
            raise fault(node.at, f"{value} is not between {low} and {high}")
        # Adding zero turns -0.0 into 0.0: equal values have one canonical form.
        return float(value) + 0.0

    return read


def flag(node: Node) -> bool:
    """Read true or false."""
    value = _value(node)
    if not isinstance(value, bool):
        raise fault(node.at, f"expected true or false, found {_describe(node)}")
    return value


def only_true(node: Node) -> bool:
    """Read true."""
    if not flag(node):
        raise fault(node.at, "only true can stand here", "leave the key out instead")
    return True


def listing(read: Read[T], most: int) -> Read[tuple[T, ...]]:
    """Read a list of at most `most` items."""

    def read_all(node: Node) -> tuple[T, ...]:
        if not isinstance(node, Listing):
            raise fault(node.at, f"expected a list, found {_describe(node)}")
        if len(node.items) > most:
            raise fault(node.items[most].at, f"the list has more than {most} items")
        items: list[T] = []
        problems: list[Problem] = []
        for item in node.items:
            try:
                items.append(read(item))
            except PolicyError as error:
                problems += error.problems
        if problems:
            raise PolicyError(problems)
        return tuple(items)

    return read_all


def pairs(node: Node, what: str) -> tuple[tuple[Scalar, Node], ...]:
    """Read keys that the author chose, each with its node."""
    if not isinstance(node, Mapping):
        raise fault(node.at, f"{what} must be keys with values, as in key: value")
    return node.entries


def _value(node: Node) -> bool | int | float | str | None:
    return node.value if isinstance(node, Scalar) else None


def _string(node: Node) -> Scalar:
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return node
    hint = "put it in quotes" if isinstance(node, Scalar) and node.text else ""
    raise fault(node.at, f"expected a text, found {_describe(node)}", hint)


def _describe(node: Node) -> str:
    if isinstance(node, Mapping):
        return "keys with values"
    if isinstance(node, Listing):
        return "a list"
    if node.value is None:
        return "nothing"
    kind = "the text" if isinstance(node.value, str) else "the value"
    return f'{kind} "{node.text[:64]}"'
