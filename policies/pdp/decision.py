"""What a policy says of a call: the decision and its obligations. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Layer = Literal["platform", "tenant", "app"]

LAYERS: tuple[Layer, ...] = ("platform", "tenant", "app")
"""The layers, highest first: none below may loosen what one above says."""

RedactMethod = Literal["drop", "mask", "hash"]

REDACT_METHODS: tuple[RedactMethod, ...] = ("drop", "mask", "hash")
"""The methods, strictest first."""

DecisionCode = Literal["", "policy_denied", "detector_failed"]


class Effect(StrEnum):
    """Whether the call may go on."""

    PERMIT = "permit"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Redact:
    """Remove personal data of these kinds (none named: of every kind) from `min_score` (0-1) on."""

    kinds: frozenset[str]
    min_score: float
    method: RedactMethod

    def covers(self, kind: str, score: float) -> bool:
        """Say whether a finding of this kind and score must be removed."""
        return score >= self.min_score and (not self.kinds or kind in self.kinds)


@dataclass(frozen=True, slots=True)
class CapOutputTokens:
    """Ask the provider for at most so many output tokens for each answer."""

    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class RouteTo:
    """Serve the call with this public model instead of the one asked for."""

    model: str


Obligation = Redact | CapOutputTokens | RouteTo
"""What must be done to a permitted call: closed, so that a new one is a type error elsewhere."""


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
    holds at most one of each kind, already merged, and none on a denial. `risk` is the capped sum
    of `contributions` ("policy/rule", points). `matched` and `shadow` name the enforced and the
    shadow rules that match.
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

    @property
    def permitted(self) -> bool:
        """True where the call may go on."""
        return self.effect is Effect.PERMIT
