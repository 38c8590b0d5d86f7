"""What is wrong with the calls of tools in an answer, held against what the client offered."""

from collections.abc import Iterable
from typing import Literal

import orjson

from gateway.exchange import Body, Call
from gateway.providers.tooling import Called, Tools, arguments, called, offered
from gateway.transformation.schema import Schema, foreign

Fault = Literal["arguments", "unchecked", "unoffered", "unparsed"]

Schemas = dict[str, Schema | None]

BYTES_MAX = 256 * 1024
"""Larger arguments are not checked."""


class ToolCheck:
    """Checks the calls in answers to one request. The tools that it offers are read once."""

    def __init__(self, call: Call) -> None:
        self._endpoint = call.endpoint
        self._body = call.body
        self._tools: Tools | None = None
        self._schemas: Schemas = {}

    def faults(self, answer: Body) -> set[Fault]:
        """Return what is wrong with the calls in an answer, or in a part of one, given as an answer
        that holds it."""
        calls = called(self._endpoint, answer)
        if calls and self._tools is None:
            self._tools = offered(self._endpoint, self._body)
        return faults(calls, self._tools or {}, self._schemas)


def faults(calls: Iterable[Called], tools: Tools, schemas: Schemas | None = None) -> set[Fault]:
    """Return what is wrong with calls of tools.

    "unoffered": nobody offered a tool of that name. "unparsed": the arguments are no JSON object.
    "arguments": they are not as its schema wants them. "unchecked": that schema cannot be used
    here (`foreign`), or the arguments are larger than is checked. `schemas` are those that were
    made ready before, by the names of their tools.
    """
    ready: Schemas = {} if schemas is None else schemas
    found = {_fault(call, tools, ready) for call in calls}
    return {fault for fault in found if fault is not None}


def _fault(call: Called, tools: Tools, schemas: Schemas) -> Fault | None:
    if call.name not in tools:
        return "unoffered"
    if call.arguments is None:
        return None
    given, wanted = arguments(call.arguments), tools[call.name]
    if given is None:
        return "unparsed"
    if not wanted:
        return None
    if call.name not in schemas:
        schemas[call.name] = foreign(wanted)
    return _misfit(given, schemas[call.name])


def _misfit(given: Body, schema: Schema | None) -> Fault | None:
    if schema is None or len(orjson.dumps(given)) > BYTES_MAX:
        return "unchecked"
    return None if schema.fits(given) else "arguments"
