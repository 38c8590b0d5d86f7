"""What a call must keep within: judged on its facts, rule by rule. Pure.

Caps bound by the minimum, lists by the intersection, requirements by the union. A call keeps what
has merged so if and only if it keeps what each rule says alone, so each rule is asked alone: then
it is known which rules deny.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from policies.pdp.obligations import (
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Obligation,
    Require,
    RouteTo,
)
from policies.pdp.request import SLOTS, FactValue, Phase

_N, _MESSAGES, _BYTES = SLOTS["call.n"], SLOTS["call.messages"], SLOTS["call.bytes"]
_ASKED, _ROUTED, _REGION = SLOTS["model.asked"], SLOTS["model.routed"], SLOTS["model.region"]
_OFFERED, _CALLED = SLOTS["call.tools"], SLOTS["answer.tool_calls"]
_USER, _HEADERS, _TAGS = SLOTS["user.present"], SLOTS["call.headers"], SLOTS["call.tags"]
_SHOWN = 10


class Breach(NamedTuple):
    """How a call breaks a bound, and what would keep it."""

    message: str
    remedy: str


class Situation(NamedTuple):
    """The facts of a call in one phase, and where the decision sends it, if anywhere."""

    phase: Phase
    slots: Sequence[FactValue]
    route: RouteTo | None

    @property
    def model(self) -> str:
        """The public model that would serve the call. Before routing it is the one asked for."""
        routed = self.slots[_ROUTED] or self.slots[_ASKED]
        return self.route.model if self.route is not None else cast("str", routed)

    @property
    def rerouted(self) -> bool:
        """True where another model will serve the call, for whose deployments it is judged anew."""
        return self.route is not None and self.model != self.slots[_ROUTED]

    def words(self, slot: int) -> tuple[str, ...]:
        """Return the value of a fact that is a list of texts."""
        return tuple(cast("Sequence[str]", self.slots[slot]))


def bounding(obligation: Obligation) -> bool:
    """Say whether facts of a call can break the obligation."""
    if isinstance(obligation, Cap):
        return (obligation.n, obligation.messages, obligation.bytes) != (None, None, None)
    return isinstance(obligation, AllowModels | AllowRegions | AllowTools | Require)


def breach(obligation: Obligation, situation: Situation) -> Breach | None:
    """Return how a call breaks an obligation, or None where it does not."""
    if isinstance(obligation, Cap):
        return _over(obligation, situation)
    if isinstance(obligation, AllowModels):
        return _other_model(obligation, situation)
    if isinstance(obligation, AllowRegions):
        return _other_region(obligation, situation)
    if isinstance(obligation, AllowTools):
        return _other_tools(obligation, situation)
    if isinstance(obligation, Require):
        return _missing(obligation, situation)
    return None


def _over(cap: Cap, situation: Situation) -> Breach | None:
    for most, slot, what, remedy in (
        (cap.n, _N, "answers at once", "Ask for fewer: a lower n."),
        (cap.messages, _MESSAGES, "messages", "Send fewer messages: leave out the oldest."),
        (cap.bytes, _BYTES, "bytes", "Send less text."),
    ):
        value = cast("int", situation.slots[slot])
        if most is not None and value > most:
            return Breach(f"The call has {value} {what}; at most {most} are allowed.", remedy)
    return None


def _other_model(allow: AllowModels, situation: Situation) -> Breach | None:
    if situation.model in allow.names:
        return None
    message = f"The model {situation.model} may not serve this call."
    return Breach(message, f"Allowed are: {_listed(allow.names)}.")


def _other_region(allow: AllowRegions, situation: Situation) -> Breach | None:
    region = cast("str", situation.slots[_REGION])
    if situation.rerouted or region in allow.names:
        return None
    where = f"in the region {region}" if region else "whose region is not known"
    message = f"A deployment {where} may not serve this call."
    return Breach(message, f"Allowed regions are: {_listed(allow.names)}. Choose another model.")


def _other_tools(allow: AllowTools, situation: Situation) -> Breach | None:
    asking = situation.phase == "request"
    tools = situation.words(_OFFERED if asking else _CALLED)
    others = frozenset(tools) - allow.names
    if not others:
        return None
    what = "The call offers tools" if asking else "The answer calls tools"
    message = f"{what} that are not allowed: {_listed(others)}."
    return Breach(message, f"Allowed are: {_listed(allow.names)}.")


def _missing(require: Require, situation: Situation) -> Breach | None:
    if require.user and not situation.slots[_USER]:
        return Breach("The call names no end user.", "Send user, or the header x-gatehouse-user.")
    headers = require.headers.difference(situation.words(_HEADERS))
    if headers:
        return Breach(f"The call lacks {_listed(headers)}.", "Send these headers with a value.")
    declared = (tag.partition("=")[0] for tag in situation.words(_TAGS))
    metadata = require.metadata.difference(declared)
    if metadata:
        remedy = "Declare them in x-gatehouse-tags, as in name=value."
        return Breach(f"The call does not declare {_listed(metadata)}.", remedy)
    return None


def _listed(names: frozenset[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
