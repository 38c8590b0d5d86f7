"""Which policies hold for an app, from its bundle: the active versions, a candidate, exemptions."""

from collections.abc import Mapping, Sequence

from gateway.bundle import App, Bundle, Candidate, Exempting
from policies.pdp.decision import Layer
from policies.pdp.document import Document
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.exemption import Exemption
from policies.pdp.language import load_canonical
from policies.pdp.rollout import Rollout

Effective = tuple[EffectivePolicy, Candidate | None, Rollout | None]
"""What holds; and the candidate of one of its policies beside it, if there is one."""


class Versions:
    """Compiles what holds for the apps of a bundle, once for apps of the same policies."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._active = {
            name: (text.version, load_canonical(text.canonical.encode()))
            for name, text in bundle.policies.items()
        }
        self._known: dict[tuple[tuple[str, ...], tuple[Exempting, ...]], Effective] = {}

    def of(self, app: App) -> Effective:
        """Return what holds for an app."""
        exempting = _exempting(self._bundle, app)
        name = (app.policies, exempting)
        if name not in self._known:
            self._known[name] = self._compiled(app, exempting)
        return self._known[name]

    def _compiled(self, app: App, exempting: Sequence[Exempting]) -> Effective:
        exemptions = [_exemption(item) for item in exempting]
        entities = self._bundle.pii_entities
        active = EffectivePolicy(self._layered(app, self._active), exemptions, entities)
        candidate = _candidate(self._bundle, app)
        if candidate is None:
            return active, None, None
        text = candidate.policy
        document = load_canonical(text.canonical.encode())
        texts = self._active | {text.name: (text.version, document)}
        beside = EffectivePolicy(self._layered(app, texts), exemptions, entities)
        return active, candidate, Rollout(active, beside, candidate.percent)

    def _layered(self, app: App, texts: Mapping[str, tuple[int, Document]]) -> list[Layered]:
        layers: tuple[tuple[Layer, tuple[str, ...]], ...] = (
            ("platform", self._bundle.platform_policies),
            ("tenant", self._bundle.tenant_policies),
            ("app", app.policies),
        )
        return [Layered(layer, name, *texts[name]) for layer, names in layers for name in names]


def _named(bundle: Bundle, app: App) -> set[str]:
    return {*bundle.platform_policies, *bundle.tenant_policies, *app.policies}


def _candidate(bundle: Bundle, app: App) -> Candidate | None:
    """Return the one candidate that concerns an app: publishing sees to it that there are no more.

    Were there two, nobody could say which of them made a difference.
    """
    named = _named(bundle, app)
    return next((each for each in bundle.candidates if each.policy.name in named), None)


def _exempting(bundle: Bundle, app: App) -> tuple[Exempting, ...]:
    """Return the exemptions that can concern a call of an app."""
    named = _named(bundle, app)
    return tuple(
        item
        for item in bundle.exemptions
        if (not item.apps or app.name in item.apps)
        and any(rule.partition("/")[0] in named for rule in item.rules)
    )


def _exemption(item: Exempting) -> Exemption:
    return Exemption(
        name=item.name,
        rules=frozenset(item.rules),
        expires_s=item.expires_s,
        apps=frozenset(item.apps),
        keys=frozenset(item.keys),
    )
