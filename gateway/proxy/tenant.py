"""A tenant's bundle made ready for calls: policies compiled, credentials opened, limits prepared.

Made once for each revision that a worker loads, so that a call only looks things up.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway import envelope
from gateway.bundle import App, Budget, Bundle, BundleError, Deployment, Limit
from gateway.exchange import LimitLine
from gateway.guards.contract import PHASES
from gateway.proxy import guarding, shapes
from gateway.proxy.guarding import LoadedGuard
from gateway.proxy.kept import Sealer
from gateway.proxy.keyring import NONE, Secret
from gateway.proxy.names import Names
from gateway.proxy.shapes import Shapes
from gateway.proxy.store.counters import limit_line
from gateway.proxy.versions import Versions
from policies.detectors.extent import PatternFault
from policies.detectors.patterns import UntranslatableError
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.detectors.verdicts import Verdicts
from policies.pdp.decision import Decision
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.request import FactValue, Phase
from policies.pdp.rollout import Rollout, Verdict

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Lines:
    """The limits and budgets that apply to one key: the tenant's, its app's and its own.

    `hard` is the first budget that is, `currency` the one of all budgets, "" where there are more.
    """

    limits: tuple[LimitLine, ...]
    requests: tuple[LimitLine, ...]
    budgets: tuple[Budget, ...]
    hard: Budget | None
    currency: str


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """An app and the policy that is in effect for it.

    Where a candidate version stands beside the active one, `rollout` judges by both, and `canary`
    is the app as those keys see it that are served the candidate.
    """

    app: App
    policy: EffectivePolicy
    labels: bytes
    rollout: Rollout | None = None
    rollout_name: str = ""
    canary: "LoadedApp | None" = None
    shapes: Shapes | None = None

    @property
    def judges(self) -> EffectivePolicy | Rollout:
        """What has to be served with facts: both versions, where two are judged."""
        return self.policy if self.rollout is None else self.rollout

    @property
    def beside(self) -> EffectivePolicy | None:
        """The version whose decisions do not hold, where there is one."""
        if self.rollout is None:
            return None
        is_active = self.policy is self.rollout.active
        return self.rollout.candidate if is_active else self.rollout.active

    def for_key(self, key_id: str) -> "LoadedApp":
        """Return the app with the policy whose decisions hold for a key, by its public id."""
        if self.rollout is None or self.canary is None:
            return self
        return self.canary if self.rollout.serves(key_id) == "candidate" else self

    def decide(
        self,
        phase: Phase,
        slots: Sequence[FactValue],
        failed: frozenset[str],
        at_s: float,
        *,
        other_risk: int | None = None,
    ) -> tuple[Decision, Verdict | None]:
        """Return the decision that holds, and the comparison where two versions are judged."""
        if self.rollout is None:
            return self.policy.decide(phase, slots, failed, at_s), None
        verdict = self.rollout.decide(phase, slots, failed, at_s, other_risk=other_risk)
        return verdict.decision, verdict


@dataclass(frozen=True, slots=True)
class LoadedTenant:
    """One revision of a tenant. A call keeps the one that it began with.

    `entities` are the kinds of names that it wants found, `names` who finds them.
    `guards` are the tenant's own, by the phase whose texts they are asked about. `mac` is a keyed
    BLAKE2b that has read nothing yet: a digest is a copy of it. It `watches` its counters where a
    rule of any of its apps reads how full they are.
    """

    bundle: Bundle
    apps: Mapping[str, LoadedApp]
    scanner: Scanner
    verdicts: Verdicts
    zone: ZoneInfo
    mac: hashlib.blake2b
    hash_key: bytes
    secrets: Mapping[str, tuple[Secret, ...]]
    allowed: frozenset[str]
    limits: tuple[LimitLine, ...]
    sealer: Sealer
    entities: frozenset[str] = frozenset()
    names: Names | None = None
    guards: Mapping[str, tuple[LoadedGuard, ...]] = field(default_factory=dict)
    watches: bool = False
    _lines: dict[tuple[str, str], Lines] = field(default_factory=dict)

    def lines(self, app_id: str, key_id: str) -> Lines:
        """Return what limits a key, by its public id."""
        known = self._lines.get((app_id, key_id))
        if known is None:
            known = self._lines[app_id, key_id] = self._lines_of(app_id, key_id)
        return known

    @property
    def detectors(self) -> str:
        """SHA-256, in hex, of all that decides what is found now, the models of names too."""
        own = self.scanner.version
        if not self.entities:
            return own
        version = "" if self.names is None else self.names.version
        return hashlib.sha256(f"{own} {sorted(self.entities)} {version}".encode()).hexdigest()

    def digest(self, text: bytes) -> str:
        """Return a keyed digest, in hex, that nobody else could make."""
        digest = self.mac.copy()
        digest.update(text)
        return digest.hexdigest()

    def _lines_of(self, app_id: str, key_id: str) -> Lines:
        limits = tuple(line for line in self.limits if _applies(line.limit, app_id, key_id))
        budgets = tuple(
            budget for budget in self.bundle.budgets if _applies(budget, app_id, key_id)
        )
        return Lines(
            limits,
            tuple(line for line in limits if line.limit.kind == "requests"),
            budgets,
            next((budget for budget in budgets if budget.hard), None),
            budgets[0].currency if len({budget.currency for budget in budgets}) == 1 else "",
        )


@lru_cache(maxsize=64)
def scanner(config: DetectorConfig) -> Scanner:
    """Return the scanner of a configuration: tenants that declare the same share one."""
    return Scanner(config)


@lru_cache(maxsize=64)
def verdicts(config: DetectorConfig) -> Verdicts:
    """Return what the scanner of a configuration has read lately, whatever the revision."""
    return Verdicts(scanner(config))


def load(bundle: Bundle, masters: tuple[bytes, ...], names: Names | None = None) -> LoadedTenant:
    """Make a bundle ready; after an error of its parts the last good one stays."""
    read = _verdicts(bundle)
    apps = _apps(bundle)
    return LoadedTenant(
        bundle=bundle,
        apps=apps,
        scanner=read.scanner,
        verdicts=read,
        zone=ZoneInfo(bundle.timezone),
        mac=hashlib.blake2b(
            key=envelope.tenant_key(masters[0], bundle.tenant_id, "digest"),
            digest_size=DIGEST_BYTES,
        ),
        hash_key=envelope.tenant_key(masters[0], bundle.tenant_id, "redaction"),
        secrets=_secrets(bundle, masters),
        allowed=frozenset(name for app in bundle.apps.values() for name in app.models),
        limits=tuple(limit_line(bundle.tenant_id, limit) for limit in bundle.limits),
        sealer=Sealer(masters[0], bundle.tenant_id),
        entities=frozenset(bundle.pii_entities),
        names=names,
        guards=_guards(bundle, masters),
        watches=any(app.judges.signals.counters for app in apps.values()),
    )


def _verdicts(bundle: Bundle) -> Verdicts:
    config = DetectorConfig(bundle.pii_countries, bundle.pii_phone_regions, bundle.detectors)
    try:
        return verdicts(config)
    except (UntranslatableError, PatternFault):
        # What they say holds what the tenant looks for, which is nobody else's to read.
        raise BundleError("the tenant's own detectors cannot be compiled") from None


def _apps(bundle: Bundle) -> dict[str, LoadedApp]:
    versions, transformations = Versions(bundle), shapes.of_routes(bundle)
    return {
        identity: _app(app, versions, shapes.of_app(bundle, app, transformations))
        for identity, app in bundle.apps.items()
    }


def _app(app: App, versions: Versions, declared: Shapes | None) -> LoadedApp:
    active, candidate, rollout = versions.of(app)
    if candidate is None or rollout is None:
        return LoadedApp(app, active, _labels(active), shapes=declared)
    beside, name = rollout.candidate, candidate.rollout
    canary = LoadedApp(app, beside, _labels(beside), rollout, name, shapes=declared)
    return LoadedApp(app, active, _labels(active), rollout, name, canary, declared)


def _labels(policy: EffectivePolicy) -> bytes:
    return ", ".join(policy.labels).encode()


def _secrets(bundle: Bundle, masters: tuple[bytes, ...]) -> dict[str, tuple[Secret, ...]]:
    """Open the credentials of each deployment once; the clear text lives in this process only."""
    opened: dict[str, Secret] = {}
    secrets = {}
    for deployment in _deployments(bundle):
        first = () if deployment.credential is None else (deployment.credential,)
        for sealed in (*first, *deployment.spare_credentials):
            if sealed.row not in opened:
                box = envelope.Sealed(sealed.sealed, sealed.key_id)
                text = envelope.unseal(box, sealed.row, masters)
                opened[sealed.row] = Secret(sealed.row, text)
        rows = (*first, *deployment.spare_credentials)
        secrets[deployment.id] = tuple(opened[sealed.row] for sealed in rows) or (NONE,)
    return secrets


def _guards(bundle: Bundle, masters: tuple[bytes, ...]) -> dict[str, tuple[LoadedGuard, ...]]:
    if not bundle.guards:
        return {}
    ready = guarding.loaded(bundle.guards, masters)
    return {phase: tuple(one for one in ready if phase in one.guard.phases) for phase in PHASES}


def _deployments(bundle: Bundle) -> list[Deployment]:
    routes = (*bundle.routes.values(), *(one.route for one in bundle.services.values()))
    return [deployment for route in routes for deployment in route.deployments]


def _applies(owned: Budget | Limit, app_id: str, key_id: str) -> bool:
    return owned.app_id in ("", app_id) and owned.key_id in ("", key_id)
