"""How a model of the file chooses among its deployments, and what stands in where they fail."""

from dataclasses import dataclass
from typing import cast

from gateway.declaration import values
from gateway.declaration.session import Session, Values
from gateway.declaration.values import Named, Spot
from gateway.models import CACHE_ENTRY_BYTES_MAX, CACHE_MAX_S, Deployment, Route
from gateway.services.routes import DeploymentFields, RouteFields, route_update
from policies.pdp import fields
from policies.pdp.fields import Fields

KEYS = (
    "strategy",
    "sticky",
    "regional",
    "drop_unsupported",
    "retries",
    "hedge_after_ms",
    "context_tokens",
    "fallbacks",
    "cache_ttl_s",
    "cache_stale_s",
    "cache_entry_bytes",
    "cache_hit_percent",
    "cache_vary",
)
TIMEOUT_KEYS = ("connect_s", "first_byte_s", "idle_s", "total_s")
RETRIES_MAX, HEDGE_MAX, CONTEXT_MAX, FALLBACKS_MAX = 5, 60_000, 2**31 - 1, 5
SECONDS_MAX, VARY_MAX = 32_767, 8


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """The plan of one model of the file; `fallbacks` are names of models."""

    strategy: str
    sticky: bool
    regional: bool
    drop_unsupported: bool
    retries: int
    hedge_after_ms: int
    context_tokens: int
    fallbacks: tuple[Named, ...]
    cache: RouteFields

    def fields(self) -> RouteFields:
        """Return the fields of a route, without its fallbacks: those may not be there yet."""
        return {
            "strategy": self.strategy,
            "sticky": self.sticky,
            "regional": self.regional,
            "drop_unsupported": self.drop_unsupported,
            "retries": self.retries,
            "hedge_after_ms": self.hedge_after_ms,
            "context_tokens": self.context_tokens,
            **self.cache,
        }

    def values(self) -> Values:
        """Return what the file says, as a stored plan would be written."""
        return {**plain(self.fields()), "fallbacks": [one.text for one in self.fallbacks]}


def read(keys: Fields) -> PlanEntry:
    """Read the plan of a model from its keys."""
    nothing: tuple[Named, ...] = ()
    read_names = values.distinct(values.named(values.model_name), FALLBACKS_MAX)
    return PlanEntry(
        strategy=keys.optional("strategy", fields.choice(Route.Strategy.values), "weighted"),
        sticky=keys.optional("sticky", fields.flag, default=False),
        regional=keys.optional("regional", fields.flag, default=False),
        drop_unsupported=keys.optional("drop_unsupported", fields.flag, default=False),
        retries=keys.optional("retries", fields.whole(0, RETRIES_MAX), 0),
        hedge_after_ms=keys.optional("hedge_after_ms", fields.whole(0, HEDGE_MAX), 0),
        context_tokens=keys.optional("context_tokens", fields.whole(0, CONTEXT_MAX), 0),
        fallbacks=keys.optional("fallbacks", read_names, nothing),
        cache=_read_cache(keys),
    )


def _read_cache(keys: Fields) -> RouteFields:
    """Read for how long answers are kept, and what they differ by."""
    nothing: tuple[str, ...] = ()
    seconds = fields.whole(0, CACHE_MAX_S)
    return {
        "cache_ttl_s": keys.optional("cache_ttl_s", seconds, 0),
        "cache_stale_s": keys.optional("cache_stale_s", seconds, 0),
        "cache_entry_bytes": keys.optional(
            "cache_entry_bytes", fields.whole(0, CACHE_ENTRY_BYTES_MAX), 0
        ),
        "cache_hit_percent": keys.optional("cache_hit_percent", fields.whole(0, 100), 0),
        "cache_vary": list(
            keys.optional("cache_vary", values.distinct(values.cache_vary, VARY_MAX), nothing)
        ),
    }


def apply_fallbacks(session: Session, name: str, entry: PlanEntry, spot: Spot) -> None:
    """Set the fallbacks of a model, once every model of the file is there."""
    row = Route.objects.get(name=name)
    with session.at(spot):
        route_update(
            actor=session.actor, route=row, fallbacks=[one.text for one in entry.fallbacks]
        )


def describe(row: Route) -> Values:
    """Return the plan of a stored route as the file would say it."""
    return {key: getattr(row, key) for key in KEYS}


def exported(row: Route) -> Values:
    """Return what the plan of a stored route says beyond the defaults."""
    return {key: value for key, value in describe(row).items() if value not in (0, [], "weighted")}


def plain(given: RouteFields | DeploymentFields) -> Values:
    """Return the fields of a service as the file's values."""
    return cast("Values", dict(given))


def read_timeouts(keys: Fields) -> DeploymentFields:
    """Read how long a deployment may take from its keys; 0: as long as everybody."""
    seconds = fields.whole(0, SECONDS_MAX)
    return {
        "connect_s": keys.optional("connect_s", seconds, 0),
        "first_byte_s": keys.optional("first_byte_s", seconds, 0),
        "idle_s": keys.optional("idle_s", seconds, 0),
        "total_s": keys.optional("total_s", seconds, 0),
    }


def timeouts(row: Deployment) -> Values:
    """Return how long a stored deployment may take, as the file would say it."""
    return {key: getattr(row, key) for key in TIMEOUT_KEYS}
