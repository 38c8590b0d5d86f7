"""Values for all that is looked for at once, put together to facts. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple, cast

from policies.pdp.expression.tree import ValueType
from policies.pdp.request import FACTS, FINDING_FIELDS, FactValue, FindingFact
from policies.pdp.solver import strings
from policies.pdp.solver.goal import Relation
from policies.pdp.solver.literal import OPPOSITE, Literal, Test
from policies.pdp.solver.numbers import span
from policies.pdp.solver.state import Literals, State, choose, range_of, usual

Values = Mapping[str, FactValue]
"""Facts by name."""

Scalar = bool | float | str

_LEANS = (("", ""), ("low", "low"), ("high", "high"), ("low", "high"), ("high", "low"))
"""What is tried for the left and the right side of a test of two values."""

_ROUNDS = 40
_NUMBERS = ("int", "double")
_PAD_MAX = 200


class Assigned(NamedTuple):
    """Facts that are accepted, or none: then `certain` says whether there are none at all."""

    values: Values | None
    certain: bool = False
    reason: str = ""


@dataclass(slots=True)
class _Classes:
    """Variables that are equal to one another, as one: tests, types, and the relations left."""

    root: dict[str, str]
    unary: dict[str, Literals]
    types: dict[str, ValueType]
    relations: list[Relation] = field(default_factory=list)

    def of(self, name: str) -> str:
        """Return the variable that stands for all that are equal to this one."""
        while self.root[name] != name:
            name = self.root[name]
        return name


def assign(state: State, accept: Callable[[Values], bool]) -> Assigned:
    """Choose values that pass all tests of the state, as far as simple choices lead there."""
    classes = _classes(state)
    reason = _excluded(classes)
    if reason:
        return Assigned(None, certain=True, reason=reason)
    for lean in _LEANS if state.relations else _LEANS[:1]:
        chosen = _chosen(classes, state, lean)
        if chosen is None:
            return Assigned(None)
        for distinct in (True, False):
            values = _facts(state, chosen, distinct=distinct)
            if values is not None and accept(values):
                return Assigned(values)
    return Assigned(None)


def excluded(state: State) -> str:
    """Return why tests of values against one another cannot all pass; nothing where they may."""
    return _excluded(_classes(state)) if state.relations else ""


def _excluded(classes: _Classes) -> str:
    return _contradiction(classes) or _circle(classes) or _propagate(classes)


def _classes(state: State) -> _Classes:
    classes = _Classes({name: name for name in state.types}, {}, dict(state.types))
    relations = [
        relation
        for relation in state.relations
        if relation.left.name
        and relation.right.name
        and not relation.left.sized
        and not relation.right.sized
    ]
    for relation in relations:
        if relation.test == "==" and relation.holds:
            classes.root[classes.of(relation.left.name)] = classes.of(relation.right.name)
        else:
            classes.relations.append(relation)
    for name in state.types:
        root = classes.of(name)
        classes.unary[root] = classes.unary.get(root, ()) + state.unary.get(name, ())
    return classes


def _contradiction(classes: _Classes) -> str:
    """Return why values that must be equal cannot be, or must differ and are the same."""
    for name, literals in classes.unary.items():
        found = choose(classes.types[name], range_of(name), literals, None)
        if found.value is None and found.certain:
            return " and ".join(literal.words("one value") for literal in literals)
    for relation in classes.relations:
        is_one = classes.of(relation.left.name) == classes.of(relation.right.name)
        if is_one and (relation.test in ("<", ">")) == relation.holds:
            return f"{relation.left.name} would have to differ from itself"
    return ""


def _orders(classes: _Classes) -> list[tuple[str, str, Test]]:
    """Return the comparisons by order: the lower, the higher, and < or <=."""
    return [_lower_first(each) for each in classes.relations if each.test in OPPOSITE]


def _circle(classes: _Classes) -> str:
    """Return why comparisons by order lead back to where they began, one of them strict."""
    above: dict[tuple[str, str], bool] = {}
    for low, high, test in _orders(classes):
        ends = classes.of(low), classes.of(high)
        above[ends] = above.get(ends, False) or test == "<"
    names = sorted({name for ends in above for name in ends})
    for middle, low, high in product(names, names, names):
        if (low, middle) in above and (middle, high) in above:
            strict = above[low, middle] or above[middle, high]
            above[low, high] = above.get((low, high), False) or strict
    strictly = [low for (low, high), strict in above.items() if strict and low == high]
    return f"{strictly[0]} would have to be less than itself" if strictly else ""


def _propagate(classes: _Classes) -> str:
    """Carry bounds along comparisons of two figures; return the reason where none is left."""
    orders = [each for each in _orders(classes) if classes.types[each[0]] in _NUMBERS]
    for _ in range(_ROUNDS):
        changed = False
        for low, high, test in orders:
            lower, upper = classes.of(low), classes.of(high)
            bounds = _bounds(classes, lower), _bounds(classes, upper)
            changed |= _bound(classes, upper, ">" if test == "<" else ">=", bounds[0][0])
            changed |= _bound(classes, lower, test, bounds[1][1])
            for name in (lower, upper):
                found = choose(classes.types[name], range_of(name), classes.unary[name], None)
                if found.value is None and found.certain:
                    return f"{low} {test} {high} leaves no value"
        if not changed:
            return ""
    return ""


def _lower_first(relation: Relation) -> tuple[str, str, Test]:
    test, left, right = relation.test, relation.left.name, relation.right.name
    if not relation.holds:
        test = OPPOSITE[test]
    if test in (">", ">="):
        return right, left, "<" if test == ">" else "<="
    return left, right, test


def _bounds(classes: _Classes, name: str) -> tuple[float, float]:
    whole = classes.types[name] == "int"
    return span(classes.unary[name], range_of(name), whole=whole)[:2]


def _bound(classes: _Classes, name: str, test: Test, value: float) -> bool:
    """Add a bound; True where it tells something new."""
    before = _bounds(classes, name)
    literal = Literal(test, value, classes.types[name])
    after = span(
        (*classes.unary[name], literal), range_of(name), whole=classes.types[name] == "int"
    )
    if after[:2] == before:
        return False
    classes.unary[name] = (*classes.unary[name], literal)
    return True


def _chosen(classes: _Classes, state: State, lean: tuple[str, str]) -> dict[str, Scalar] | None:
    """Return a value for each variable; None where one has none that can be guessed."""
    leaning = _leaning(classes, state, lean)
    values: dict[str, Scalar] = {}
    for name in classes.types:
        root = classes.of(name)
        if root not in values:
            wanted = _wanted(classes, root, state, leaning.get(root, ""))
            found = _pick(classes, root, wanted, values)
            if found is None:
                return None
            values[root] = found
        values[name] = values[root]
    return values


def _leaning(classes: _Classes, state: State, lean: tuple[str, str]) -> dict[str, str]:
    """Return where variables lean that are tested against others."""
    found: dict[str, str] = {}
    for relation in state.relations if any(lean) else ():
        for end, side in zip((relation.left.name, relation.right.name), lean, strict=True):
            if end:
                found.setdefault(classes.of(end), side)
    return found


def _wanted(classes: _Classes, name: str, state: State, lean: str) -> Scalar:
    """A list is as long as what is known to be in it; all else is as usual."""
    if lean and classes.types[name] in _NUMBERS:
        return _bounds(classes, name)[lean == "high"]
    if lean and classes.types[name] == "string":
        return "" if lean == "low" else "other"
    if name.startswith("size("):
        return len(state.items.get(name[5:-1], ()))
    return usual(name, state.types[name])


def _pick(
    classes: _Classes, name: str, wanted: Scalar, values: Mapping[str, Scalar]
) -> Scalar | None:
    kind, literals = classes.types[name], classes.unary.get(name, ())
    avoid = _others(classes, name, values)
    if kind == "string":
        texts = frozenset(map(str, avoid))
        return cast("Scalar | None", strings.pick(literals, (str(wanted),), texts).value)
    apart = tuple(Literal("==", value, kind, holds=False) for value in avoid)
    return cast("Scalar | None", choose(kind, range_of(name), (*literals, *apart), wanted).value)


def _others(classes: _Classes, name: str, values: Mapping[str, Scalar]) -> list[Scalar]:
    """Return the values that this one must not have, because another has them."""
    return [
        values[classes.of(other)]
        for each in classes.relations
        if each.test == "==" and not each.holds
        for one, other in ((each.left.name, each.right.name), (each.right.name, each.left.name))
        if classes.of(one) == name and classes.of(other) in values
    ]


def _facts(
    state: State, values: Mapping[str, Scalar], *, distinct: bool
) -> dict[str, FactValue] | None:
    """Return the facts that the values of all variables make."""
    facts: dict[str, FactValue] = {n: value for n, value in values.items() if n in FACTS}
    for name in dict.fromkeys((*state.items, *_lengths(values))):
        made = _list(name, state, values, distinct=distinct)
        if made is None:
            return None
        facts[name] = made
    return facts


def _lengths(values: Mapping[str, Scalar]) -> list[str]:
    return [name[5:-1] for name in values if name.startswith("size(")]


def _list(
    name: str, state: State, values: Mapping[str, Scalar], *, distinct: bool
) -> tuple[str, ...] | tuple[FindingFact, ...] | None:
    """Return a list of the known items, each once, and of as many more as it must have."""
    is_finding = FACTS[name].type == "list<finding>"
    made: list[str | FindingFact] = []
    for element in state.items.get(name, ()):
        new = _finding(element, values) if is_finding else str(values.get(element, "other"))
        if new not in made:
            made.append(new)
    wanted = cast("int", values.get(f"size({name})", len(made)))
    if len(made) > wanted or wanted > _PAD_MAX:
        return None
    for number in range(len(made), wanted):
        last = made[-1] if made else _finding("", {}) if is_finding else "other"
        made.append(_another(last, number) if distinct else last)
    return cast("tuple[str, ...]", tuple(made))


def _finding(element: str, values: Mapping[str, Scalar]) -> FindingFact:
    """Return an item with the fields that are known of it, the others being as usual."""
    fields = {
        name: values.get(f"{element}.{name}", usual(f"findings#0.{name}", kind))
        for name, kind in FINDING_FIELDS.items()
    }
    return FindingFact(**fields)  # type: ignore[arg-type]


def _another(last: str | FindingFact, number: int) -> str | FindingFact:
    if isinstance(last, FindingFact):
        return last._replace(place=f"{last.place.rstrip('0123456789')}{number}")
    return f"{last.rstrip('0123456789')}{number}"
