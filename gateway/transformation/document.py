"""A transformation: steps, each with what is done to requests and answers of some endpoints. Pure.

The steps of a transformation follow one another as they stand. In one step the order is always:
mapping, renames, removals, defaults, forced values, clamps, system prompt, user and injected
values, and at last the schema.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.exchange import Body, Endpoint
from gateway.transformation import pointer
from gateway.transformation.answers import NO_CUTS, Cuts
from gateway.transformation.circumstances import USER_FIELDS, Circumstances
from gateway.transformation.fault import Fault, UnfitBody
from gateway.transformation.mapping import Mapping
from gateway.transformation.pointer import Pointer, written
from gateway.transformation.prompts import Prompt
from gateway.transformation.schema import Schema

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Clamp:
    """Bounds on a number; None: none on this side."""

    low: float | None
    high: float | None

    def of(self, value: Any) -> Any:
        """Return the nearest number within the bounds; what is no number stays as it is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        if self.low is not None and value < self.low:
            return self.low
        if self.high is not None and value > self.high:
            return self.high
        return value


@dataclass(frozen=True, slots=True)
class Step:
    """What is done at some endpoints; what is not said is not done."""

    endpoints: frozenset[Endpoint]
    mapping: Mapping | None = None
    rename: tuple[tuple[Pointer, Pointer], ...] = ()
    remove: tuple[Pointer, ...] = ()
    defaults: tuple[tuple[Pointer, Any], ...] = ()
    force: tuple[tuple[Pointer, Any], ...] = ()
    clamp: tuple[tuple[Pointer, Clamp], ...] = ()
    system_prompt: Prompt | None = None
    user: bool = False
    inject: tuple[tuple[Pointer, str], ...] = ()
    schema: Schema | None = None
    provider_headers: Headers = ()
    answer_headers: Headers = ()
    cuts: Cuts = NO_CUTS

    def applied(self, endpoint: Endpoint, body: Body, known: Circumstances) -> Body:
        """Return what a body becomes; UnfitBody for what fits no form."""
        if self.mapping is not None:
            body = self.mapping.applied(endpoint, body)
        body = self._moved(body)
        for at in self.remove:
            body = pointer.without(body, at)
        body = self._filled(body)
        for at, clamp in self.clamp:
            body = pointer.replaced(body, at, clamp.of)
        if self.system_prompt is not None:
            body = self.system_prompt.applied(endpoint, body)
        body = self._injected(endpoint, body, known)
        if self.schema is not None:
            faults = self.schema.faults(body)
            if faults:
                raise UnfitBody(faults)
        return body

    def _moved(self, body: Body) -> Body:
        for old, new in self.rename:
            is_there, value = pointer.held(body, old)
            if not is_there:
                continue
            if pointer.held(body, new)[0]:
                names = f"{written(old)} is another name of {written(new)}: send one of them"
                raise UnfitBody([Fault(written(old), names)])
            body = pointer.put(pointer.without(body, old), new, value)
        return body

    def _filled(self, body: Body) -> Body:
        for at, value in self.defaults:
            if pointer.takes(body, at):
                body = pointer.put(body, at, value)
        for at, value in self.force:
            body = pointer.put(body, at, value)
        return body

    def _injected(self, endpoint: Endpoint, body: Body, known: Circumstances) -> Body:
        wanted = [*self.inject]
        if self.user:
            wanted.append((USER_FIELDS[endpoint], "user"))
        for at, name in wanted:
            value = known.get(name)
            if value:
                body = pointer.put(body, at, value)
        return body


@dataclass(frozen=True, slots=True)
class Transformation:
    """The steps of a route or an app; `plain` is the document as JSON."""

    plain: tuple[Any, ...]
    steps: tuple[Step, ...]

    @property
    def canonical(self) -> str:
        """The one text of equal documents; "" for one without steps."""
        text = orjson.dumps(list(self.plain), option=orjson.OPT_SORT_KEYS).decode()
        return text if self.plain else ""

    @property
    def hash(self) -> str:
        """What names this version in records."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:16]

    def at(self, endpoint: Endpoint) -> tuple[Step, ...]:
        """Return the steps for an endpoint."""
        return tuple(step for step in self.steps if endpoint in step.endpoints)


def provider_headers(steps: Iterable[Step]) -> dict[str, str]:
    """Return the headers for a provider: of equal names the last."""
    return dict(_flat(step.provider_headers for step in steps))


def answer_headers(steps: Iterable[Step]) -> dict[str, str]:
    """Return the headers for a client: of equal names the last."""
    return dict(_flat(step.answer_headers for step in steps))


def _flat(listed: Iterable[Headers]) -> Iterator[tuple[str, str]]:
    return (pair for headers in listed for pair in headers)
