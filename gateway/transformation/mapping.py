"""Simplified formats: a client's own object becomes a body of the API, by JMESPath. Pure.

An expression is bounded twice. When it is declared: how many times what it makes can hold what it
was given. When it is used: in steps, so that no body can keep a worker busy.
"""

import math
from dataclasses import dataclass
from typing import Any

import jmespath.parser
import orjson
from jmespath.exceptions import JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from gateway.exchange import Body, Endpoint
from gateway.providers.walk import words
from gateway.transformation.fault import Fault, UnfitBody
from gateway.transformation.schema import Schema
from policies.pdp import fields
from policies.pdp.nodes import Node, Place, Scalar, fault

LENGTH_MAX = 1_000
BYTES_MAX = 64 * 1024
MADE_MAX = 256 * 1024
VISITS_MAX = 20_000
GROWTH_MAX = 64
DEPTH_MAX = 40
KEPT = ("model", "stream")

_ADDING = words(
    "multi_select_list multi_select_dict function_expression comparator or_expression"
    " and_expression"
)
"""Nodes whose value holds at most all that their parts make; of others each part takes what the
one before made."""

Expression = dict[str, Any]

_CONTENT = {
    Endpoint.CHAT: "messages",
    Endpoint.MESSAGES: "messages",
    Endpoint.COUNT_TOKENS: "messages",
    Endpoint.COMPLETIONS: "prompt",
    Endpoint.IMAGES: "prompt",
}


@dataclass(frozen=True, slots=True)
class Mapping:
    """A simplified format: what it looks like, and what each field of the API is made from.

    `keep` are the fields that travel as they are. Where the format is `optional`, a body that has
    the API's own content is left as it is.
    """

    format: Schema
    to: tuple[tuple[str, Expression], ...]
    keep: tuple[str, ...] = KEPT
    optional: bool = False

    def applied(self, endpoint: Endpoint, body: Body) -> Body:
        """Return the body that a simplified one stands for; UnfitBody where it is of another form.

        A field whose expression makes null is left out.
        """
        if self.optional and _CONTENT.get(endpoint, "input") in body:
            return body
        if len(orjson.dumps(body)) > BYTES_MAX:
            raise UnfitBody([Fault("", f"in this format a body has at most {BYTES_MAX} bytes")])
        faults = self.format.faults(body)
        if faults:
            raise UnfitBody(faults)
        kept = {name: body[name] for name in self.keep if name in body}
        return kept | self._made(body)

    def _made(self, body: Body) -> Body:
        interpreter = _Bounded()
        made: Body = {}
        left = MADE_MAX
        for name, expression in self.to:
            try:
                text = orjson.dumps(interpreter.visit(expression, body))
                left -= len(text)
                if left < 0:
                    raise ValueError("it makes too much")
                # Written and read: no part of it stands there twice, and all of it is JSON.
                made[name] = orjson.loads(text)
            except (JMESPathError, TypeError, ValueError, ArithmeticError, AttributeError):
                message = f"the field {name} cannot be made from this body"
                raise UnfitBody([Fault("", message)]) from None
        return {name: value for name, value in made.items() if value is not None}


def expression(node: Node) -> Expression:
    """Read a JMESPath expression."""
    text = fields.text(LENGTH_MAX)(node)
    try:
        parsed: Expression = jmespath.parser.Parser().parse(text.text).parsed
    except ParseError as error:
        at = _within(text, error.lex_position)
        raise fault(at, "this is no JMESPath expression", _why(error)) from None
    except (JMESPathError, RecursionError, ValueError):
        raise fault(node.at, "this is no JMESPath expression") from None
    _check(parsed, node.at)
    return parsed


def growth(expression: Expression) -> int:
    """Return how many times, at most, what an expression makes holds what it is given."""
    parts = [growth(part) for part in _parts(expression)]
    if expression["type"] in _ADDING:
        return max(1, sum(parts))
    return math.prod(parts)


class _Bounded(TreeInterpreter):  # type: ignore[misc]  # untyped
    """The library's interpreter, which gives up after so many steps."""

    def __init__(self) -> None:
        super().__init__()
        self._left = VISITS_MAX

    def visit(self, node: Expression, *arguments: Any, **named: Any) -> Any:
        """Return the value of one node."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("the expression takes too many steps")
        return super().visit(node, *arguments, **named)


def _parts(expression: Expression) -> list[Expression]:
    return [part for part in expression.get("children", ()) if isinstance(part, dict)]


def _check(root: Expression, at: Place) -> None:
    level, depth = [root], 0
    while level:
        for one in level:
            if one["type"] == "function_expression":
                _check_function(one, at)
        level, depth = [part for one in level for part in _parts(one)], depth + 1
        if depth > DEPTH_MAX:
            raise fault(at, f"the expression is nested more than {DEPTH_MAX} deep")


def _check_function(call: Expression, at: Place) -> None:
    name = call["value"]
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        raise fault(at, f'JMESPath has no function "{name[:64]}"')
    wanted, given = known["signature"], len(call["children"])
    is_open = bool(wanted) and bool(wanted[-1].get("variadic"))
    if given < len(wanted) or (given > len(wanted) and not is_open):
        raise fault(at, f"{name}() takes {len(wanted)} arguments, here it has {given}")
    if name == "join" and call["children"][0]["type"] != "literal":
        raise fault(
            at, "what join() puts between texts is written here", "as in join('\\n', lines)"
        )


def _within(text: Scalar, offset: int | None) -> Place:
    if text.origin is None or not offset or offset >= len(text.text):
        return text.at
    return text.place(offset)


def _why(error: ParseError) -> str:
    return str(error).splitlines()[0][:200] if str(error) else ""
