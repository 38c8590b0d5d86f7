"""What is wrong with the calls of tools in an answer, held against what the client offered."""

from collections.abc import Iterable
from typing import Literal

import orjson

from gateway.exchange import Body, Call
from gateway.providers.tooling import Called, Tools, arguments, called, offered
from gateway.transformation.schema import foreign

Fault = Literal["arguments", "unchecked", "unoffered", "unparsed"]

BYTES_MAX = 256 * 1024
"""Larger arguments are not checked."""


class ToolCheck:
    """Checks the calls in answers to one request. The tools that it offers are read once."""

    def __init__(self, call: Call) -> None:
        self._endpoint = call.endpoint
        self._body = call.body
        self._tools: Tools | None = None

    def faults(self, answer: Body) -> set[Fault]:
        """Return what is wrong with the calls in an answer, or in a part of one, given as an answer
        that holds it."""
        calls = called(self._endpoint, answer)
        if calls and self._tools is None:
            self._tools = offered(self._endpoint, self._body)
        return faults(calls, self._tools or {})


def faults(calls: Iterable[Called], tools: Tools) -> set[Fault]:
    """Return what is wrong with calls of tools.

    "unoffered": nobody offered a tool of that name. "unparsed": the arguments are no JSON object.
    "arguments": they are not as its schema wants them. "unchecked": that schema cannot be used
    here (`foreign`), or the arguments are larger than is checked.
    """
    found = {_fault(call, tools) for call in calls}
    return {fault for fault in found if fault is not None}


def _fault(call: Called, tools: Tools) -> Fault | None:
    if call.name not in tools:
        return "unoffered"
    if call.arguments is None:
        return None
    given, wanted = arguments(call.arguments), tools[call.name]
    if given is None:
        return "unparsed"
    return _misfit(given, wanted) if wanted else None


def _misfit(given: Body, wanted: Body) -> Fault | None:
    schema = foreign(wanted) if len(orjson.dumps(given)) <= BYTES_MAX else None
    if schema is None:
        return "unchecked"
    return None if schema.fits(given) else "arguments"
