"""The operations of a service: which there may be, and which one an address asks for. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.bundle import Operation, Plan, Service
from gateway.exchange import Asked, ServiceCall
from gateway.providers.fault import BadSetting
from gateway.providers.service.address import NAME, PARAMETERS_MAX, STEP

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODIES = ("none", "json")
ANSWERS = ("json", "text", "none")
OPERATIONS_MAX = 200
PATH_LENGTH_MAX = 400
SECRET_PARAMETERS = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token"})
"""In a query these would be a caller's key in the address, which is refused."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]{0,39})\}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,63}")


class Step(NamedTuple):
    """One step of a template: a text that must stand there, or the name of what may."""

    text: str
    is_parameter: bool


@lru_cache(4096)
def template(path: str) -> tuple[Step, ...]:
    """Return the steps of a path; BadSetting where it is no template."""
    if not path.startswith("/") or len(path) > PATH_LENGTH_MAX:
        raise BadSetting(f"the path {path[:80]!r} begins with / and is at most 400 characters")
    steps: list[Step] = []
    for part in path[1:].split("/"):
        named = _PLACEHOLDER.fullmatch(part)
        if named is None and not STEP.fullmatch(part):
            raise BadSetting(
                f"the path {path[:80]!r} has a step {part[:80]!r}: a step is letters, digits and"
                " . _ ~ @ : + = , - (no dot first), or a name in braces, as in {collection}"
            )
        steps.append(Step(part, is_parameter=False) if named is None else Step(named[1], True))  # noqa: FBT003
    names = [step.text for step in steps if step.is_parameter]
    if len(set(names)) < len(names):
        raise BadSetting(f"the path {path[:80]!r} names a parameter twice")
    return tuple(steps)


def found(service: Service, asked: Asked) -> ServiceCall | None:
    """Return what an address asks of a service; None where that is none of its operations.

    Where several fit, the one that says more of the path, from the left, is meant.
    """
    fitting = [
        (tuple(step.is_parameter for step in template(one.path)), one)
        for one in service.operations
        if one.method == asked.method and _fits(one, asked)
    ]
    if not fitting:
        return None
    operation = min(fitting, key=lambda each: each[0])[1]
    values = tuple(
        (step.text, value)
        for step, value in zip(template(operation.path), asked.steps, strict=True)
        if step.is_parameter
    )
    route = service.route if operation.idempotent else replace(service.route, plan=Plan())
    return ServiceCall(service, route, operation, values, asked.query)


def methods(service: Service, asked: Asked) -> tuple[str, ...]:
    """Return the methods by which a service may be asked at the path of an address."""
    return tuple(sorted({one.method for one in service.operations if _fits(one, asked)}))


def check(operations: Sequence[Operation]) -> None:
    """Raise BadSetting for what is no list of operations, or one in which two cannot be told
    apart."""
    if not 0 < len(operations) <= OPERATIONS_MAX:
        raise BadSetting(f"a service has 1 to {OPERATIONS_MAX} operations")
    names: set[str] = set()
    shapes: set[tuple[str, tuple[str, ...]]] = set()
    for one in operations:
        try:
            _check(one)
        except BadSetting as fault:
            raise BadSetting(f"operation {one.name[:63]}: {fault}") from None
        steps = tuple("{}" if step.is_parameter else step.text for step in template(one.path))
        if one.name in names:
            raise BadSetting(f"the operation {one.name} stands twice")
        if (one.method, steps) in shapes:
            raise BadSetting(f"operation {one.name}: another has the same method and path")
        names.add(one.name)
        shapes.add((one.method, steps))


def read(values: object) -> tuple[Operation, ...]:
    """Return operations from JSON; BadSetting where they are none."""
    if not isinstance(values, list):
        raise BadSetting("operations are a list")
    return tuple(_read(value) for value in values)


def written(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """Return operations as JSON."""
    return [
        {
            "name": one.name,
            "method": one.method,
            "path": one.path,
            "query": list(one.query),
            "body": one.body,
            "answer": one.answer,
            "idempotent": one.idempotent,
        }
        for one in operations
    ]


def _fits(operation: Operation, asked: Asked) -> bool:
    steps = template(operation.path)
    return len(steps) == len(asked.steps) and all(
        step.is_parameter or step.text == value
        for step, value in zip(steps, asked.steps, strict=True)
    )


def _check(one: Operation) -> None:
    if not NAME.fullmatch(one.name):
        raise BadSetting("its name is 1 to 63 of a-z, 0-9, '.', '_' and '-', no sign first")
    for value, known, what in (
        (one.method, METHODS, "method"),
        (one.body, BODIES, "body"),
        (one.answer, ANSWERS, "answer"),
    ):
        if value not in known:
            raise BadSetting(f"its {what} is one of {', '.join(known)}")
    if one.method == "GET" and one.body != "none":
        raise BadSetting("GET takes no body")
    template(one.path)
    _check_query(one.query)


def _check_query(names: Sequence[str]) -> None:
    if len(names) > PARAMETERS_MAX or len(set(names)) < len(names):
        raise BadSetting(f"its query has at most {PARAMETERS_MAX} parameters, each named once")
    for name in names:
        if not _PARAMETER.fullmatch(name) or name in SECRET_PARAMETERS:
            raise BadSetting(f"{name[:64]!r} cannot be a parameter of its query")


def _read(value: object) -> Operation:
    if not isinstance(value, Mapping):
        raise BadSetting("an operation is an object")
    given = dict(value)
    query = given.pop("query", [])
    if not isinstance(query, list) or not all(isinstance(name, str) for name in query):
        raise BadSetting("the query of an operation is a list of names")
    is_idempotent = given.pop("idempotent", False)
    if not isinstance(is_idempotent, bool):
        raise BadSetting("idempotent is true or false")
    unknown = given.keys() - {"name", "method", "path", "body", "answer"}
    if unknown or not all(isinstance(text, str) for text in given.values()):
        raise BadSetting(
            "an operation has name, method, path, query, body, answer and idempotent, and no more"
        )
    if lacking := {"name", "method", "path"} - given.keys():
        raise BadSetting(f"an operation needs {', '.join(sorted(lacking))}")
    return Operation(**given, query=tuple(query), idempotent=is_idempotent)
