"""All that the data plane may know of a tenant: compiled by publish.py, frozen, checksummed. Pure.

One bundle is one JSON text. It holds no secret in clear (credentials are sealed, see envelope.py)
and no key (those are looked up one by one, so that revocation needs no compile). Instants are whole
UTC epoch seconds, money is micros, prices are pico-units per token.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from policies.detectors.custom import CustomDetector

FORMAT = 1
"""Raised when an older worker could not read the bundle; a worker keeps its last good one then."""


class BundleError(ValueError):
    """A stored bundle cannot be used: wrong checksum, wrong format or wrong shape."""


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """A provider's secret, sealed. `row` is the associated data that binds it to its row."""

    sealed: bytes
    key_id: str
    row: str


@dataclass(frozen=True, slots=True)
class Price:
    """What tokens cost from `effective_from` on.

    Input that is read from a cache, or written to one, costs as other input where nothing is said
    of it.
    """

    currency: str
    input_pico: int
    output_pico: int
    cached_input_pico: int | None
    request_pico: int
    effective_from: int
    cache_write_pico: int | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a deployment has to connect, to begin, between two chunks, and in all; 0: as
    long as the installation gives everybody."""

    connect_s: float = 0.0
    first_byte_s: float = 0.0
    idle_s: float = 0.0
    total_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a route chooses among its deployments, and what is done where they fail.

    `strategy` is one of routing/order.py. `sticky` keeps a user to a deployment, `regional` a call
    to the region that its tag `region` names. With `drop_unsupported`, fields that a deployment
    cannot honour are left out and named in the answer, else they are refused. `retries` are those
    beyond the first attempt at each deployment; `hedge_after_ms`, if not 0, is when a second
    attempt is sent beside a silent first. `fallbacks` are public model names; a call that would not
    fit into `context_tokens` (0: not known) does not fall back to this route.

    Answers are kept for apps that take them: for `cache_ttl_s` (0: not at all), and `cache_stale_s`
    longer for while the provider is left alone; none that is larger than `cache_entry_bytes` (0: as
    large as usual). What differs in one of `cache_vary` shares none: app, key, user, tag:NAME. One
    that is given again costs `cache_hit_percent` of what it cost first.
    """

    strategy: str = "weighted"
    sticky: bool = False
    regional: bool = False
    drop_unsupported: bool = False
    retries: int = 0
    hedge_after_ms: int = 0
    context_tokens: int = 0
    fallbacks: tuple[str, ...] = ()
    cache_ttl_s: int = 0
    cache_stale_s: int = 0
    cache_entry_bytes: int = 0
    cache_hit_percent: int = 0
    cache_vary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider. `prices` is sorted by the instant of effect; none: unpriced.

    Where the provider gave several credentials, `spare_credentials` are those after the first.
    """

    id: str
    provider: str
    dialect: str
    base_url: str
    allow_private: bool
    model: str
    weight: int
    priority: int
    region: str
    prices: tuple[Price, ...]
    credential: SealedCredential | None
    spare_credentials: tuple[SealedCredential, ...] = ()
    timeouts: Timeouts | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A public model name and the deployments that serve it; `transformation` is canonical JSON."""

    name: str
    max_output_tokens: int
    default_max_output_tokens: int
    deployments: tuple[Deployment, ...]
    plan: Plan = Plan()
    transformation: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a service may be asked for, by one method at one path.

    `path` is a template: a step in braces, as in /collections/{name}, takes one value. `query`
    names the parameters that may stand in the query. `body` is "json" or "none", `answer` "json",
    "text" or "none". Only what is `idempotent` is ever asked for twice.
    """

    name: str
    method: str
    path: str
    query: tuple[str, ...] = ()
    body: str = "none"
    answer: str = "json"
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """Another HTTP upstream beside the models: all that it may be asked for.

    Its route has one deployment, of the dialect "service"; `header` and `scheme` are how the
    credential is presented there.
    """

    name: str
    route: Route
    operations: tuple[Operation, ...]
    header: str
    scheme: str


@dataclass(frozen=True, slots=True)
class Guard:
    """An endpoint of the tenant's own that inspects texts: what it may find, and of which phases.

    `secrets` sign each request, the newest first. It is told of the end user only with
    `tells_user`, and with `redacted` sees no personal data; what it finds is remembered for a while
    only with `cache`.
    """

    id: str
    name: str
    url: str
    allow_private: bool
    kinds: tuple[str, ...]
    phases: tuple[str, ...]
    deadline_ms: int
    tells_user: bool
    redacted: bool
    cache: bool
    secrets: tuple[SealedCredential, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """Money for a window.

    `starts` are the window boundaries, ascending: the first window begins at starts[0] and ends at
    starts[1]; a `total` budget has (0, 2**40). `app_id` and `key_id` say whose it is; empty: the
    whole tenant's.
    """

    id: str
    name: str
    limit_micros: int
    currency: str
    window: str
    hard: bool
    group_by: tuple[str, ...]
    app_id: str
    key_id: str
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: `kind` is requests, tokens or concurrency; `per_s` is 0 for concurrency."""

    id: str
    name: str
    kind: str
    amount: int
    per_s: int
    burst: int
    app_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One version of one policy, as canonical JSON (policies/pdp/language.py)."""

    name: str
    version: int
    hash: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version beside the active one of the same policy: `percent` of the keys are served it."""

    rollout: str
    percent: int
    policy: PolicyText


@dataclass(frozen=True, slots=True)
class Exempting:
    """Rules that do not hold for some calls before an instant (policies/pdp/exemption.py)."""

    name: str
    rules: tuple[str, ...]
    expires_s: int
    apps: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class App:
    """A program of the tenant: the models and services it may call and the policies attached to it,
    by name. With `cache`, it takes kept answers of the models that keep them; `transformation` is
    canonical JSON."""

    id: str
    name: str
    tier: str
    active: bool
    models: tuple[str, ...]
    policies: tuple[str, ...]
    services: tuple[str, ...] = ()
    cache: bool = False
    transformation: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One revision of everything that holds for one tenant.

    `purges` says from which revision on answers are kept: of the whole tenant (""), of a route
    ("route:NAME"), of an app ("app:ID"). A call that names no model asks for the one of its app's
    tier in `tier_models`, else for `default_model`, if there is one.
    """

    format: int
    revision: int
    tenant_id: str
    tenant: str
    active: bool
    timezone: str
    evidence: str
    tags: tuple[str, ...]
    pii_countries: tuple[str, ...]
    pii_phone_regions: tuple[str, ...]
    apps: Mapping[str, App]
    routes: Mapping[str, Route]
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    policies: Mapping[str, PolicyText]
    platform_policies: tuple[str, ...]
    tenant_policies: tuple[str, ...]
    cors_origins: tuple[str, ...] = ()
    exemptions: tuple[Exempting, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    services: Mapping[str, Service] = field(default_factory=dict)
    purges: Mapping[str, int] = field(default_factory=dict)
    default_model: str = ""
    tier_models: Mapping[str, str] = field(default_factory=dict)
    pii_entities: tuple[str, ...] = ()
    detectors: tuple[CustomDetector, ...] = ()
    guards: tuple[Guard, ...] = ()


def encode(bundle: Bundle) -> tuple[bytes, str]:
    """Return the bundle's bytes, the same for equal bundles, and their SHA-256."""
    body = msgspec.json.encode(bundle, order="deterministic")
    return body, hashlib.sha256(body).hexdigest()


def decode(body: bytes, checksum: str) -> Bundle:
    """Read a stored bundle; raise BundleError unless it is whole and of this format."""
    if hashlib.sha256(body).hexdigest() != checksum:
        raise BundleError("the bundle does not have the checksum that was stored with it")
    try:
        bundle = msgspec.json.decode(body, type=Bundle)
    except msgspec.DecodeError as error:
        raise BundleError(f"the bundle has another shape: {error}") from error
    if bundle.format != FORMAT:
        raise BundleError(f"the bundle has format {bundle.format}, this version reads {FORMAT}")
    return bundle
