"""The names that a text may use of what is outside of it: kinds, models, tenants.

A misspelt name never matches, and nobody would notice: so a text that names what is not there is
not published. What lies in the room above is asked for through what that room provides.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from audit.actor import Actor
from policies.detectors.packs import COUNTRIES
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.detectors.secrets import RULES
from policies.pdp.document import Document, Rule
from policies.pdp.expression.tree import Constant, FactUse, Operation, walk
from policies.pdp.obligations import AllowModels
from policies.pdp.problem import Problem, closest
from tenants.selectors import tenants_visible

MODEL_FACTS = frozenset({"model.asked", "model.routed"})
TENANT_FACTS = frozenset({"tenant.name"})
KIND_FACTS = frozenset({"pii.kinds", "answer.pii.kinds", "secret.kinds", "answer.secret.kinds"})
ANY_PHONE_REGION = ("US",)

_provided: dict[str, Callable[[], Iterable[str]]] = {}


@dataclass(frozen=True, slots=True)
class Names:
    """What may be named: the public models, and the tenants that the author may see."""

    models: frozenset[str]
    tenants: frozenset[str]


def provide(what: str, names: Callable[[], Iterable[str]]) -> None:
    """Take how to learn names of a room above; the only sort is "models"."""
    _provided[what] = names


def names_for(actor: Actor) -> Names:
    """Return what a text of this author may name, as it is now."""
    tenants = tenants_visible(actor).values_list("name", flat=True)
    return Names(frozenset(_provided["models"]()), frozenset(tenants))


@cache
def known_kinds() -> frozenset[str]:
    """Return every kind that detectors find, with the identifiers of all countries."""
    config = DetectorConfig(countries=tuple(COUNTRIES), phone_regions=ANY_PHONE_REGION)
    return Scanner(config).kinds | {rule.kind for rule in RULES}


def unknown(document: Document, names: Names) -> list[Problem]:
    """Return what the rules name that is not there, each at the line of its rule."""
    return [problem for rule in document.rules for problem in _of_rule(rule, names)]


def _of_rule(rule: Rule, names: Names) -> Iterator[Problem]:
    allowed = rule.demand(AllowModels)
    models = sorted(allowed.names) if allowed else []
    models += [rule.route.model] if rule.route else []
    for name in models:
        if name not in names.models:
            yield _problem(rule, "there is no model", name, names.models)
    for fact, text in _compared(rule):
        if fact in MODEL_FACTS and text not in names.models:
            yield _problem(rule, "there is no model", text, names.models)
        if fact in TENANT_FACTS and text not in names.tenants:
            yield _problem(
                rule, "there is no tenant to be seen that is called", text, names.tenants
            )
        if fact in KIND_FACTS and text not in known_kinds():
            yield _problem(rule, "no detector finds", text, known_kinds())


def _problem(rule: Rule, what: str, name: str, known: frozenset[str]) -> Problem:
    return Problem(rule.line, 1, f'the rule {rule.id}: {what} "{name}"', closest(name, known))


def _compared(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield each fact with each text that it is compared with for equality."""
    for node in walk(rule.when):
        if isinstance(node, Operation) and node.operator in ("==", "!=", "in"):
            facts = [item.name for item in node.operands if isinstance(item, FactUse)]
            for constant in node.operands:
                if isinstance(constant, Constant):
                    yield from ((fact, text) for fact in facts for text in _texts(constant))


def _texts(constant: Constant) -> list[str]:
    values = constant.value if isinstance(constant.value, tuple) else (constant.value,)
    return [value for value in values if isinstance(value, str)]
