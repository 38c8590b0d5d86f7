"""What a policy says of a call: the decision, with the rules that made it. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from policies.pdp.obligations import K, Obligation, demand

Layer = Literal["platform", "tenant", "app"]

LAYERS: tuple[Layer, ...] = ("platform", "tenant", "app")
"""The layers, highest first: none below may loosen what one above says."""

DecisionCode = Literal["", "policy_denied", "detector_failed"]


class Effect(StrEnum):
    """Whether the call may go on."""

    PERMIT = "permit"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Names a rule in the layer where its policy is attached; str() is "policy/rule"."""

    layer: Layer
    policy: str
    rule: str

    def __str__(self) -> str:
        return f"{self.policy}/{self.rule}"


DEFAULT_RULE = "default"
"""The name under which a policy denies what none of its rules permits; no rule may take it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one phase of one call.

    `code`, `message` and `remedy` are the first determining rule's, empty on a permit. On a denial
    `determining` names all rules that deny, on a permit those that permit or oblige. `obligations`
    holds at most one of each kind, already merged, and on a denial only advice. `risk` is the
    capped sum of `contributions` ("policy/rule", points). `matched` and `shadow` name the enforced
    and the shadow rules that match, `exemptions` what kept a rule that matches from taking part.
    """

    effect: Effect
    code: DecisionCode
    message: str
    remedy: str
    determining: tuple[RuleRef, ...]
    obligations: tuple[Obligation, ...]
    risk: int
    contributions: tuple[tuple[str, int], ...]
    matched: tuple[str, ...]
    shadow: tuple[str, ...]
    exemptions: tuple[str, ...] = ()

    @property
    def permitted(self) -> bool:
        """True where the call may go on."""
        return self.effect is Effect.PERMIT

    def demand(self, kind: type[K]) -> K | None:
        """Return the obligation of this kind."""
        if not self.obligations:  # as of most calls
            return None
        return demand(self.obligations, kind)
