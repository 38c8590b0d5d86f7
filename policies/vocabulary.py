"""The names that a text may use of what is outside of it: kinds, models, services, tenants, apps.

A misspelt name never matches, and nobody would notice: so a text that names what is not there is
not published. What lies in the room above is asked for through what that room provides.
"""

from collections.abc import Callable, Iterable
from functools import cache

from audit.actor import Actor
from policies.detectors.packs import COUNTRIES
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.detectors.secrets import RULES
from policies.pdp.analysis.names import KnownNames
from policies.pdp.request import NAMED
from tenants.selectors import apps_visible, own_kinds_visible, tenants_visible

ANY_PHONE_REGION = ("US",)

_provided: dict[str, Callable[[], Iterable[str]]] = {}
_own_kinds: list[Callable[[Actor], Iterable[str]]] = []


def provide(what: str, names: Callable[[], Iterable[str]]) -> None:
    """Take how to learn names of a room above: "models" and "services"."""
    _provided[what] = names


def provide_own_kinds(kinds: Callable[[Actor], Iterable[str]]) -> None:
    """Take how to learn which kinds are found by what tenants have of their own, in those that an
    actor may see."""
    _own_kinds.append(kinds)


def names_for(actor: Actor) -> KnownNames:
    """Return what a text of this author may name, as it is now.

    Tenants, what they look for themselves, and apps are those that the author may see: what is
    meant is told of no other. Names that a model finds are kinds where one of them asks for them.
    """
    tenants = list(tenants_visible(actor).values_list("name", "pii_entities"))
    return KnownNames(
        models=frozenset(_provided["models"]()),
        kinds=_pattern_kinds().union(*(entities for _, entities in tenants)),
        custom=own_kinds_visible(actor).union(*(kinds(actor) for kinds in _own_kinds)),
        tenants=frozenset(name for name, _ in tenants),
        apps=frozenset(apps_visible(actor).values_list("name", flat=True)),
        services=frozenset(_provided["services"]()),
    )


def known_kinds() -> frozenset[str]:
    """Return every kind that detectors can find: for all countries, and names by a model."""
    return _pattern_kinds() | NAMED


@cache
def _pattern_kinds() -> frozenset[str]:
    config = DetectorConfig(countries=tuple(COUNTRIES), phone_regions=ANY_PHONE_REGION)
    return Scanner(config).kinds | {rule.kind for rule in RULES}
