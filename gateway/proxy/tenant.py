"""A tenant's bundle made ready for calls: policies compiled, credentials opened, limits prepared.

Made once for each revision that a worker loads, so that a call only looks things up.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway import envelope
from gateway.bundle import App, Budget, Bundle, Deployment, Limit
from gateway.exchange import LimitLine
from gateway.proxy import shapes
from gateway.proxy.keyring import NONE, Secret
from gateway.proxy.shapes import Shapes
from gateway.proxy.store.counters import limit_line
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.pdp.decision import Layer
from policies.pdp.evaluate import EffectivePolicy, Layered
from policies.pdp.language import load_canonical

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Lines:
    """The limits and budgets that apply to one key: the tenant's, its app's and its own."""

    limits: tuple[LimitLine, ...]
    requests: tuple[LimitLine, ...]
    budgets: tuple[Budget, ...]
    hard: bool


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """An app and the policy that is in effect for it."""

    app: App
    policy: EffectivePolicy
    labels: bytes
    shapes: Shapes | None = None


@dataclass(frozen=True, slots=True)
class LoadedTenant:
    """One revision of a tenant. A call keeps the one that it began with.

    `mac` is a keyed BLAKE2b that has read nothing yet: a digest is a copy of it.
    """

    bundle: Bundle
    apps: Mapping[str, LoadedApp]
    scanner: Scanner
    zone: ZoneInfo
    mac: hashlib.blake2b
    hash_key: bytes
    secrets: Mapping[str, tuple[Secret, ...]]
    allowed: frozenset[str]
    limits: tuple[LimitLine, ...]
    _lines: dict[tuple[str, str], Lines] = field(default_factory=dict)

    def lines(self, app_id: str, key_id: str) -> Lines:
        """Return what limits a key, by its public id."""
        known = self._lines.get((app_id, key_id))
        if known is None:
            known = self._lines[app_id, key_id] = self._lines_of(app_id, key_id)
        return known

    def _lines_of(self, app_id: str, key_id: str) -> Lines:
        limits = tuple(line for line in self.limits if _applies(line.limit, app_id, key_id))
        budgets = tuple(
            budget for budget in self.bundle.budgets if _applies(budget, app_id, key_id)
        )
        return Lines(
            limits,
            tuple(line for line in limits if line.limit.kind == "requests"),
            budgets,
            any(budget.hard for budget in budgets),
        )


@lru_cache(maxsize=64)
def scanner(config: DetectorConfig) -> Scanner:
    """Return the scanner of a configuration: tenants that declare the same share one."""
    return Scanner(config)


def load(bundle: Bundle, masters: tuple[bytes, ...]) -> LoadedTenant:
    """Make a bundle ready; after an error of its parts the last good one stays."""
    config = DetectorConfig(countries=bundle.pii_countries, phone_regions=bundle.pii_phone_regions)
    return LoadedTenant(
        bundle=bundle,
        apps=_apps(bundle),
        scanner=scanner(config),
        zone=ZoneInfo(bundle.timezone),
        mac=hashlib.blake2b(
            key=envelope.tenant_key(masters[0], bundle.tenant_id, "digest"),
            digest_size=DIGEST_BYTES,
        ),
        hash_key=envelope.tenant_key(masters[0], bundle.tenant_id, "redaction"),
        secrets=_secrets(bundle, masters),
        allowed=frozenset(name for app in bundle.apps.values() for name in app.models),
        limits=tuple(limit_line(bundle.tenant_id, limit) for limit in bundle.limits),
    )


def _apps(bundle: Bundle) -> dict[str, LoadedApp]:
    documents = {
        name: load_canonical(text.canonical.encode()) for name, text in bundle.policies.items()
    }
    compiled: dict[tuple[str, ...], EffectivePolicy] = {}
    transformations = shapes.of_routes(bundle)
    apps = {}
    for identity, app in bundle.apps.items():
        if app.policies not in compiled:
            layers: tuple[tuple[Layer, tuple[str, ...]], ...] = (
                ("platform", bundle.platform_policies),
                ("tenant", bundle.tenant_policies),
                ("app", app.policies),
            )
            compiled[app.policies] = EffectivePolicy(
                [
                    Layered(layer, name, bundle.policies[name].version, documents[name])
                    for layer, names in layers
                    for name in names
                ]
            )
        policy = compiled[app.policies]
        declared = shapes.of_app(bundle, app, transformations)
        apps[identity] = LoadedApp(app, policy, ", ".join(policy.labels).encode(), declared)
    return apps


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


def _deployments(bundle: Bundle) -> list[Deployment]:
    return [deployment for route in bundle.routes.values() for deployment in route.deployments]


def _applies(owned: Budget | Limit, app_id: str, key_id: str) -> bool:
    return owned.app_id in ("", app_id) and owned.key_id in ("", key_id)
