"""What can be changed of a call, by whom, to which values, and how that is said. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from policies.pdp.request import FACTS, SLOTS, FactValue, FindingFact
from policies.pdp.solver.domain import GROUPS, RANGES, Group

Facts = Mapping[str, FactValue]
Constants = frozenset[bool | int | float | str]

CLIENT, DECLARED, ADMINISTRATOR, NOBODY = 1, 5, 20, 100
"""How dear a change is: what a client can send otherwise, what it says of the call (which had
better stay true), what an administrator can set, and what nobody changes, such as the time."""

ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Move:
    """One change of some facts that belong together; of what is taken out, `gone`, `out` makes the
    same change for less."""

    facts: tuple[tuple[str, FactValue], ...]
    words: str
    gone: tuple[str, ...] = ()
    out: Callable[[Sequence[str]], "Move"] | None = None

    def applied(self, slots: Sequence[FactValue]) -> list[FactValue]:
        """Return the facts with the change."""
        changed = list(slots)
        for name, value in self.facts:
            changed[SLOTS[name]] = value
        return changed


@dataclass(frozen=True, slots=True)
class Handle:
    """Facts that change together, how dear that is, and the changes that could matter."""

    facts: frozenset[str]
    cost: int
    moves: Callable[[Sequence[FactValue], Mapping[str, Constants]], Iterable[Move]]


def handles(models: Sequence[str]) -> tuple[Handle, ...]:
    """Return all that can be changed of a request; `models` are those that may be asked for."""
    return (
        *(_detected(group, what) for group, what in zip(GROUPS, _WHAT, strict=False)),
        _uninspected(),
        *(_figure(name, said) for name, said in _FIGURES.items()),
        *(
            _list(name, *said, DECLARED if name in _TOLD else CLIENT)
            for name, said in _LISTS.items()
        ),
        Handle(frozenset({"call.stream"}), CLIENT, _stream),
        Handle(frozenset({"user.present", "user.id"}), CLIENT, _user),
        Handle(frozenset({"model.asked", "model.routed"}), CLIENT, _model(models)),
        Handle(frozenset({"call.tool_choice"}), CLIENT, _word("call.tool_choice", "tool choice")),
        *(
            Handle(frozenset({name}), ADMINISTRATOR, _word(name, name))
            for name in ("app.tier", "app.name", "key.name", "key.id", "tenant.name")
        ),
        *(
            Handle(frozenset({name}), NOBODY, _word(name, name))
            for name in ("model.region", "model.provider", "call.endpoint")
        ),
        *(_figure(name, said, NOBODY) for name, said in _TIMES.items()),
    )


_WHAT = (
    ("piece of personal data", "pieces of personal data"),
    ("credential", "credentials"),
    ("injection signal", "injection signals"),
    ("match of a detector of the tenant", "matches of detectors of the tenant"),
)
_FIGURES = {
    "call.n": "n = {}",
    "call.messages": "{} messages",
    "call.max_output_tokens": "max output tokens {}",
    "call.temperature": "temperature {}",
    "call.bytes": "{} bytes",
    "call.estimated_tokens": "{} estimated tokens",
    "call.images": "{} images",
    "call.audio": "{} audio parts",
    "call.files": "{} files",
}
_TIMES = {"source.hour": "the hour {}", "source.weekday": "the weekday {}"}
_LEFT_OUT = {"call.max_output_tokens": "max output tokens", "call.temperature": "temperature"}
_TOLD = frozenset({"call.tags", "call.headers"})
_LISTS = {
    "call.tools": ("tool", "tools"),
    "call.roles": ("role", "roles"),
    "call.tags": ("tag", "tags"),
    "call.headers": ("header", "headers"),
    "call.unknown_fields": ("field", "fields"),
}


def _detected(group: Group, what: tuple[str, str]) -> Handle:
    """Take out what a detector found: all of it, or some kinds."""

    def without(slots: Sequence[FactValue], kinds: Sequence[str]) -> Move:
        gone = frozenset(kinds)
        found = cast("Sequence[FindingFact]", slots[SLOTS[group.findings]])
        own = [each for each in found if each.category == group.category]
        left = [each for each in own if each.kind not in gone]
        number = sum(each[4] for each in own if each.kind in gone)
        if not left:
            number = max(number, cast("int", slots[SLOTS[group.number]]))
        facts: Facts = {
            group.findings: tuple(each for each in found if each not in own or each in left),
            group.number: sum(each[4] for each in left),
            group.kinds: tuple(sorted({each.kind for each in left})),
            group.score: max((each.score for each in left), default=0.0),
        }
        named = f" ({', '.join(sorted(gone))})" if gone else ""
        words = f"without the {_so_many(number, *what)}{named}"
        return Move(tuple(facts.items()), words, tuple(gone), lambda less: without(slots, less))

    def moves(slots: Sequence[FactValue], _: Mapping[str, Constants]) -> Iterator[Move]:
        if slots[SLOTS[group.number]] or slots[SLOTS[group.kinds]]:
            kinds = cast("Sequence[str]", slots[SLOTS[group.kinds]])
            if len(kinds) > 1:
                yield from (without(slots, [kind]) for kind in kinds)
            yield without(slots, kinds)

    return Handle(frozenset({*group.facts, group.findings}), CLIENT, moves)


def _so_many(number: int, one: str, many: str) -> str:
    return one if number == 1 else f"{number} {many}"


def _uninspected() -> Handle:
    parts = ("call.images", "call.audio", "call.files")

    def moves(slots: Sequence[FactValue], _: Mapping[str, Constants]) -> Iterator[Move]:
        number = slots[SLOTS["uninspected.count"]]
        if number:
            kinds = ", ".join(cast("Sequence[str]", slots[SLOTS["uninspected.kinds"]]))
            none: Facts = {
                "uninspected.count": 0,
                "uninspected.kinds": (),
                **dict.fromkeys(parts, 0),
            }
            parts_left_out = _so_many(cast("int", number), "part", "parts")
            words = f"without the {parts_left_out} that cannot be inspected ({kinds})"
            yield Move(tuple(none.items()), words)

    return Handle(frozenset({"uninspected.count", "uninspected.kinds"}), CLIENT, moves)


def _figure(name: str, said: str, cost: int = CLIENT) -> Handle:
    whole = FACTS[name].type == "int"
    low, high = RANGES.get(name, (float("-inf"), float("inf")))

    def moves(slots: Sequence[FactValue], constants: Mapping[str, Constants]) -> Iterator[Move]:
        now = cast("float", slots[SLOTS[name]])
        turns = {value for value in constants.get(name, ()) if isinstance(value, int | float)}
        step = 1 if whole else 0.1
        near = {round(value + by, 6) for value in turns for by in (-step, 0, step)}
        default = cast("float", FACTS[name].default)
        values = sorted({*near, default} - {now}, key=lambda value: (abs(value - now), value))
        for value in values:
            if low <= value <= high:
                kept = int(value) if whole else float(value)
                words = f"with {said.format(kept)}"
                if kept == default and name in _LEFT_OUT:
                    words = f"without {_LEFT_OUT[name]}"
                yield Move(((name, kept),), words)

    return Handle(frozenset({name}), cost, moves)


_OPTIONAL = frozenset({"call.max_output_tokens", "call.temperature"})


def _list(name: str, one: str, many: str, cost: int) -> Handle:
    def without(now: Sequence[str], gone: Sequence[str]) -> Move:
        left = tuple(item for item in now if item not in gone)
        words = f"without the {many if len(gone) > 1 else one} {', '.join(gone)}"
        return Move(((name, left),), words, tuple(gone), lambda less: without(now, less))

    def moves(slots: Sequence[FactValue], constants: Mapping[str, Constants]) -> Iterator[Move]:
        now = tuple(cast("Sequence[str]", slots[SLOTS[name]]))
        yield from (without(now, [item]) for item in now)
        if len(now) > 1:
            yield without(now, now)
        texts = sorted(value for value in constants.get(name, ()) if isinstance(value, str))
        for text in (text for text in texts if f"{text}=" not in texts):
            value = f"{text}..." if text.endswith("=") else text
            if value not in now:
                yield Move(((name, (*now, value)),), f"with the {one} {value}")

    return Handle(frozenset({name}), cost, moves)


def _stream(slots: Sequence[FactValue], _: Mapping[str, Constants]) -> Iterator[Move]:
    on = not slots[SLOTS["call.stream"]]
    yield Move((("call.stream", on),), f"with stream {'on' if on else 'off'}")


def _user(slots: Sequence[FactValue], constants: Mapping[str, Constants]) -> Iterator[Move]:
    known = sorted(value for value in constants.get("user.id", ()) if isinstance(value, str))
    if not slots[SLOTS["user.present"]]:
        yield Move((("user.present", True), ("user.id", ANOTHER)), "with an end user named")
    for value in known:
        yield Move((("user.present", True), ("user.id", value)), f"for the end user {value}")


def _model(
    models: Sequence[str],
) -> Callable[[Sequence[FactValue], Mapping[str, Constants]], Iterable[Move]]:
    """A model that there is, else one that a condition names, else any other."""

    def moves(slots: Sequence[FactValue], constants: Mapping[str, Constants]) -> Iterator[Move]:
        now = slots[SLOTS["model.asked"]]
        named = {*constants.get("model.asked", ()), *constants.get("model.routed", ())}
        texts = sorted(value for value in named if isinstance(value, str) and value)
        for value in models or texts:
            if value != now:
                yield Move(_asked(value), f"with model {value}")
        if not models:
            yield Move(_asked(ANOTHER), f"with another model than {now}")

    return moves


def _asked(model: str) -> tuple[tuple[str, FactValue], ...]:
    return (("model.asked", model), ("model.routed", model))


def _word(
    name: str, said: str
) -> Callable[[Sequence[FactValue], Mapping[str, Constants]], Iterable[Move]]:
    def moves(slots: Sequence[FactValue], constants: Mapping[str, Constants]) -> Iterator[Move]:
        now = slots[SLOTS[name]]
        for value in sorted(value for value in constants.get(name, ()) if isinstance(value, str)):
            if value != now:
                yield Move(((name, value),), f"with {said} {value or 'empty'}")
        yield Move(((name, ANOTHER),), f"with another {said} than {now or 'none'}")

    return moves
