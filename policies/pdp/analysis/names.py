"""Names in a policy that nothing has: a misspelt one would never match, and nobody would notice.
Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.pdp.analysis.finding import place
from policies.pdp.document import Document, Rule
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.tree import (
    Constant,
    Element,
    Expression,
    FactUse,
    Operation,
    Quantifier,
)
from policies.pdp.obligations import AllowModels, AllowRegions, AllowTools, Redact, RouteTo
from policies.pdp.problem import Problem, closest, split_lines
from policies.pdp.request import NAMED

CATEGORIES = frozenset(
    {"pii", "secret", "injection", "custom", "uninspected", "error", "link", "placeholder"}
)
"""What the category of a finding can be."""

Names = frozenset[str] | None


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that exist; None: not known, so none is looked at.

    `custom` are the kinds that tenants' own detectors find, `kinds` those of all others.
    """

    models: Names = None
    kinds: Names = None
    custom: Names = None
    tools: Names = None
    tenants: Names = None
    apps: Names = None
    tiers: Names = None
    regions: Names = None
    providers: Names = None
    endpoints: Names = None
    services: Names = None
    categories: Names = CATEGORIES

    @property
    def findings(self) -> Names:
        """The kinds that a finding can have; those of tenants only as far as they are known."""
        return None if self.kinds is None else self.kinds | (self.custom or frozenset())


_OF_FACT: Mapping[str, tuple[str, str]] = {
    "model.asked": ("models", "model"),
    "model.routed": ("models", "model"),
    "model.provider": ("providers", "provider"),
    "model.region": ("regions", "region"),
    "tenant.name": ("tenants", "tenant"),
    "app.name": ("apps", "app"),
    "app.tier": ("tiers", "tier"),
    "call.endpoint": ("endpoints", "endpoint"),
    "call.service": ("services", "service"),
    "call.tools": ("tools", "tool"),
    "answer.tool_calls": ("tools", "tool"),
    "pii.kinds": ("kinds", "kind"),
    "secret.kinds": ("kinds", "kind"),
    "answer.pii.kinds": ("kinds", "kind"),
    "answer.secret.kinds": ("kinds", "kind"),
    "custom.kinds": ("custom", "kind of a tenant's own detectors"),
    "answer.custom.kinds": ("custom", "kind of a tenant's own detectors"),
    "findings.kind": ("findings", "kind"),
    "answer.findings.kind": ("findings", "kind"),
    "custom findings.kind": ("custom", "kind of a tenant's own detectors"),
    "findings.category": ("categories", "category of findings"),
    "answer.findings.category": ("categories", "category of findings"),
    "custom findings.category": ("categories", "category of findings"),
}
"""For each fact, or field of a finding: which names it can have, and what one is."""

_EQUAL = frozenset({"==", "!=", "in"})
_OWN = "custom findings"  # those of a condition that looks for findings of the category custom


def unknown_names(document: Document, known: KnownNames) -> tuple[Problem, ...]:
    """Return a problem for each name that nothing has, at its place in the text if that is known.

    Looked at are what conditions compare whole (`==`, `!=`, `in`), and the names that a rule gives
    to `route`, `allow_models`, `allow_regions`, `allow_tools` and `redact`. The empty text stands
    for "none" and is no name.
    """
    found: dict[Problem, None] = {}
    for rule in document.rules:
        for subject, name in (*_compared(rule.when, ""), *_demanded(rule)):
            field, what = _OF_FACT[subject]
            names: Names = getattr(known, field)
            if names is not None and name and name not in names:
                line, column = _where(document, rule, name)
                message = f'there is no {what} "{name}" (rule {rule.id})'
                found.setdefault(Problem(line, column, message, _hint(what, name, names)))
    return tuple(sorted(found))


def _hint(what: str, name: str, known: frozenset[str]) -> str:
    """Return what would help: another name, or a tenant that has these found."""
    if what == "kind" and name in NAMED:
        return f"no tenant asks for it yet: pii: {{entities: [{name}]}} has a model find it"
    return closest(name, known)


def _compared(expression: Expression, over: str) -> Iterator[tuple[str, str]]:
    """Yield each subject that has names with a text that it is compared with."""
    if isinstance(expression, Quantifier):
        named = [text for of, text in _compared(expression.body, _OWN) if of == f"{_OWN}.category"]
        own = expression.over.type == "list<finding>" and set(named) == {"custom"}
        yield from _compared(expression.body, _OWN if own else expression.over.name)
    elif isinstance(expression, Operation):
        if expression.operator in _EQUAL:
            subjects = {_subject(each, over) for each in expression.operands} & _OF_FACT.keys()
            texts = [text for each in expression.operands for text in _texts(each)]
            yield from ((subject, text) for subject in subjects for text in texts)
        for operand in expression.operands:
            yield from _compared(operand, over)


def _subject(expression: Expression, over: str) -> str:
    if isinstance(expression, FactUse):
        return expression.name
    if isinstance(expression, Element):
        return f"{over}.{expression.field}" if expression.field else over
    return ""


def _texts(expression: Expression) -> list[str]:
    if not isinstance(expression, Constant):
        return []
    values = expression.value if isinstance(expression.value, tuple) else (expression.value,)
    return [value for value in values if isinstance(value, str)]


def _demanded(rule: Rule) -> Iterator[tuple[str, str]]:
    for obligation in rule.obligations:
        match obligation:
            case RouteTo():
                yield "model.asked", obligation.model
            case AllowModels():
                yield from _each("model.asked", obligation.names)
            case AllowRegions():
                yield from _each("model.region", obligation.names)
            case AllowTools():
                yield from _each("call.tools", obligation.names)
            case Redact():
                yield from _each("pii.kinds", obligation.kinds or ())
                yield from _each("pii.kinds", obligation.secrets or ())
                yield from _each("custom.kinds", obligation.custom or ())


def _each(subject: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    yield from ((subject, name) for name in sorted(names))


def _where(document: Document, rule: Rule, name: str) -> tuple[int, int]:
    """Return the place of the name in the text of its rule, else that of the rule."""
    begin, column = place(document, rule.line)
    if not begin:
        return 0, 0
    lines = split_lines(document.source)
    later = [other.line for other in document.rules if other.line > rule.line]
    written = format_condition(Constant(name, "string"))[1:-1]
    for number in range(begin, min(later, default=len(lines) + 1)):
        at = _found(lines[number - 1], {name, written})
        if at >= 0:
            return number, at + 1
    return begin, column


def _found(line: str, spellings: Iterable[str]) -> int:
    """Return where one of the spellings stands as a whole word, or -1."""
    for text in spellings:
        at = line.find(text)
        while at >= 0:
            around = line[at - 1 : at] + line[at + len(text) : at + len(text) + 1]
            if not any(char.isalnum() or char in "_-." for char in around):
                return at
            at = line.find(text, at + 1)
    return -1
