"""Text to a typed tree. What it returns cannot raise when it is evaluated. Pure.

    or      = and ("||" and)*
    and     = rel ("&&" rel)*
    rel     = unary (("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") unary)?
    unary   = "!" unary | primary ("." method "(" arguments ")")*
    primary = number | string | "true" | "false" | "(" or ")" | "[" constants "]"
            | "size" "(" or ")" | fact | loop variable

The syntax is a subset of CEL, and so is the meaning.
"""

import math
from typing import Literal, NoReturn, cast

from policies.pdp.expression import operators
from policies.pdp.expression.tokens import LENGTH_MAX, ExpressionError, Token, tokenize
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operator,
    Quantifier,
    ValueType,
)
from policies.pdp.problem import closest
from policies.pdp.request import FACTS, FINDING_FIELDS

DEPTH_MAX = 32
NODES_MAX = 512

_NAMESPACES = frozenset(name.partition(".")[0] for name in FACTS)
_FUNCTIONS = frozenset({"size"})
_METHODS = operators.STRING_TESTS | {"exists", "all"}
# Words that CEL keeps for itself.
_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in"}
    | {"let", "loop", "package", "namespace", "null", "return", "true", "var", "void", "while"}
)
# The wider language has these; a rule that reads them is not wrong, it is early.
_LATER = ("budget.", "rate.", "source.address", "model.price_tier")
_INT_MAX = 2**63 - 1
_INT_DIGITS = 20
_WORDS_FOR_SIGNS = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}
_NOT_FOR_ELEMENTS = _NAMESPACES | _FUNCTIONS | _RESERVED | _WORDS_FOR_SIGNS.keys() | {""}


def parse_condition(text: str, length_max: int = LENGTH_MAX) -> Expression:
    """Return the tree of a condition; raise ExpressionError with the offset of the first fault."""
    parser = _Parser(tokenize(text, length_max))
    expression = parser.disjunction()
    parser.finish()
    operators.require_bool(expression, "a condition")
    return expression


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        # Two more ends, so that looking ahead needs no check.
        self._tokens = tokens + tokens[-1:] * 2
        self._index = 0
        self._depth = 0
        self._nodes = 0
        self._variable = ""
        self._element: ValueType = "string"

    # Tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _sign(self) -> str:
        """Return the next token's text if it is a sign or the word `in`, else nothing."""
        token = self._token
        return token.text if token.kind == "sign" or self._name() == "in" else ""

    def _name(self) -> str:
        """Return the next token's text if it is a word, else nothing."""
        return self._token.text if self._token.kind == "word" else ""

    def _take(self) -> Token:
        token = self._token
        self._index += 1
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise ExpressionError(token.at, f"the condition has more than {NODES_MAX} parts")
        return token

    def _expect(self, sign: str) -> Token:
        if self._sign() != sign:
            self._unexpected(f"expected {sign}")
        return self._take()

    def _unexpected(self, wanted: str) -> NoReturn:
        token = self._token
        found = f'found "{token.text[:40]}"' if token.kind != "end" else "the condition ends here"
        hint = ""
        if token.text in _WORDS_FOR_SIGNS:
            hint = f"write {_WORDS_FOR_SIGNS[token.text]}"
        elif token.text == "-":
            hint = "arithmetic is not part of the language"
        raise ExpressionError(token.at, f"{wanted}, {found}", hint)

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            message = f"the condition is nested more than {DEPTH_MAX} deep"
            raise ExpressionError(self._token.at, message)

    def finish(self) -> None:
        """Refuse what stands after the condition."""
        if self._token.kind != "end":
            self._unexpected("expected && or || or the end")

    # Grammar

    def disjunction(self) -> Expression:
        """Parse `or`."""
        self._descend()
        operands = [self._conjunction()]
        while self._sign() == "||":
            self._take()
            operands.append(self._conjunction())
        self._depth -= 1
        return operands[0] if len(operands) == 1 else operators.logical("||", operands)

    def _conjunction(self) -> Expression:
        operands = [self._relation()]
        while self._sign() == "&&":
            self._take()
            operands.append(self._relation())
        return operands[0] if len(operands) == 1 else operators.logical("&&", operands)

    def _relation(self) -> Expression:
        left = self._unary()
        sign = self._sign()
        if sign not in operators.COMPARISONS and sign != "in":
            return left
        at = self._take().at
        right = self._unary()
        if self._sign() in operators.COMPARISONS or self._sign() == "in":
            raise ExpressionError(self._token.at, "comparisons do not chain", "join them with &&")
        if sign == "in":
            return operators.membership(left, right, at)
        return operators.comparison(cast("Operator", sign), left, right, at)

    def _unary(self) -> Expression:
        if self._sign() == "!":
            self._descend()
            at = self._take().at
            operand = self._unary()
            self._depth -= 1
            return operators.negation(operand, at)
        expression = self._primary()
        while self._sign() == ".":
            self._take()
            expression = self._method(expression)
        return expression

    def _primary(self) -> Expression:
        token = self._token
        if token.kind == "string":
            return Constant(self._take().text, "string", token.at)
        if self._name() and token.text not in ("in", *_WORDS_FOR_SIGNS):
            return self._word()
        if self._sign() == "(":
            self._take()
            inner = self.disjunction()
            self._expect(")")
            return inner
        if self._sign() == "[":
            self._take()
            return operators.constants(self._items("]"), token.at)
        return self._number()

    def _number(self) -> Constant:
        at, sign = self._token.at, 1
        if self._sign() == "-":
            self._take()
            sign = -1
        if self._token.kind not in ("int", "double"):
            self._unexpected("expected a value" if sign == 1 else "expected a number after -")
        return _number(self._take(), sign, at)

    def _items(self, close: str) -> list[Expression]:
        """Parse values up to `close`, which is taken too."""
        items: list[Expression] = []
        while self._sign() != close:
            if items:
                self._expect(",")
            items.append(self.disjunction())
        self._take()
        return items

    def _word(self) -> Expression:
        token = self._take()
        if token.text in ("true", "false"):
            return Constant(token.text == "true", "bool", token.at)
        if self._sign() == "(":
            return self._function(token)
        if token.text == self._variable:
            return self._loop_variable(token)
        return self._fact(token)

    def _function(self, token: Token) -> Expression:
        self._take()
        if token.text not in _FUNCTIONS:
            hint = closest(token.text, _FUNCTIONS) or "the only function is size(...)"
            if token.text == "has":
                hint = "every fact always has a value: compare it"
            raise ExpressionError(token.at, f'unknown function "{token.text}"', hint)
        return operators.size(self._items(")"), token.at)

    def _loop_variable(self, token: Token) -> Element:
        if self._element == "string":
            return Element(token.text, "", "string", token.at)
        fields = ", ".join(FINDING_FIELDS)
        if self._sign() != ".":
            hint = f"its fields are {fields}"
            raise ExpressionError(token.at, f'name a field of "{token.text}"', hint)
        self._take()
        field = self._name() or self._unexpected("expected a field of the finding")
        if field not in FINDING_FIELDS:
            hint = closest(field, FINDING_FIELDS) or f"its fields are {fields}"
            raise ExpressionError(self._token.at, f'a finding has no field "{field[:64]}"', hint)
        self._take()
        return Element(token.text, field, FINDING_FIELDS[field], token.at)

    def _fact(self, token: Token) -> FactUse:
        """Take the longest dotted name that is a fact; a method's name is no part of it."""
        name = token.text
        while name not in FACTS and self._name_goes_on():
            self._take()
            name += f".{self._take().text}"
        if name not in FACTS:
            raise ExpressionError(token.at, *_unknown_fact(name))
        return FactUse(name, FACTS[name].type, token.at)

    def _name_goes_on(self) -> bool:
        word, after = self._tokens[self._index + 1 : self._index + 3]
        return self._sign() == "." and word.kind == "word" and after.text != "("

    def _method(self, subject: Expression) -> Expression:
        text = self._name() or self._unexpected("expected the name of a method")
        if text not in _METHODS:
            raise ExpressionError(self._token.at, *_unknown_member(subject, text))
        name = self._take()
        self._expect("(")
        if name.text in ("exists", "all"):
            return self._quantifier(subject, name)
        if subject.type != "string":
            message = f"{name.text}(...) is not defined for {subject.type}"
            hint = 'write "x" in the list' if subject.type == "list<string>" else ""
            raise ExpressionError(name.at, message, hint)
        method = cast("Operator", name.text)
        return operators.string_test(method, subject, self._items(")"), name.at)

    def _quantifier(self, over: Expression, name: Token) -> Quantifier:
        if not isinstance(over, FactUse) or not over.type.startswith("list"):
            raise ExpressionError(name.at, f"{name.text}(...) is for facts that are lists")
        if self._variable:
            raise ExpressionError(name.at, "exists and all cannot stand inside one another")
        variable = self._loop_name()
        self._expect(",")
        self._variable = variable.text
        self._element = "string" if over.type == "list<string>" else "finding"
        body = self.disjunction()
        self._variable = ""
        self._expect(")")
        operators.require_bool(body, f"what {name.text}(...) asks")
        kind = cast("Literal['exists', 'all']", name.text)
        return Quantifier(kind, over, variable.text, body, over.at)

    def _loop_name(self) -> Token:
        if self._name() in _NOT_FOR_ELEMENTS:
            hint = "as in findings.exists(f, f.score >= 0.5)"
            raise ExpressionError(self._token.at, "expected a new name for the element", hint)
        return self._take()


def _number(token: Token, sign: int, at: int) -> Constant:
    if token.kind == "double":
        value = float(token.text) * sign
        if math.isinf(value):
            raise ExpressionError(at, "the number is too large")
        return Constant(value, "double", at)
    # Twenty digits are over the limit whatever they are: int() need not read thousands.
    whole = int(token.text) * sign if len(token.text) < _INT_DIGITS else _INT_MAX + 1
    if not -_INT_MAX - 1 <= whole <= _INT_MAX:
        raise ExpressionError(at, "a whole number has at most 64 bits")
    return Constant(whole, "int", at)


def _unknown_fact(name: str) -> tuple[str, str]:
    namespace = name.partition(".")[0]
    if name.startswith(_LATER):
        available = ", ".join(sorted(_NAMESPACES))
        return f"the fact {name} is not available in this version", f"available: {available}"
    hint = closest(name, FACTS)
    siblings = [fact for fact in FACTS if fact.partition(".")[0] == namespace]
    if not hint:
        hint = "known: " + ", ".join(siblings or sorted(_NAMESPACES))
    return f'unknown fact "{name[:64]}"', hint


def _unknown_member(subject: Expression, name: str) -> tuple[str, str]:
    message = f'a value of type {subject.type} has no member "{name[:64]}"'
    if name in _FUNCTIONS:
        return message, f"write {name}(...)"
    return message, closest(name, _METHODS)
