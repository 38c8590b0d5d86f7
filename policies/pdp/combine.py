"""Many rules, one decision: the laws by which effects merge. Pure.

Every merge is commutative, idempotent and monotone: the order of rules and policies cannot be seen,
saying something twice says it once, and one rule more never loosens what the others say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from policies.pdp.decision import (
    LAYERS,
    REDACT_METHODS,
    CapOutputTokens,
    Decision,
    DecisionCode,
    Effect,
    Obligation,
    Redact,
    RouteTo,
    RuleRef,
)
from policies.pdp.document import Deny, Rule
from policies.pdp.message import plain
from policies.pdp.request import RISK_MAX, SLOTS, FactValue

_RISK = SLOTS["risk"]
_NONE_ATTACHED = "No policy is attached to this call, and what nothing permits is refused."
_ATTACH = "Ask the administrator to attach a policy to the tenant or the app."
_TRY_AGAIN = "Try again. If it stays so, tell the administrator that a detector fails."


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule where its policy is attached, with what its condition reads and depends on."""

    ref: RuleRef
    rule: Rule
    reads: tuple[str, ...]
    detectors: frozenset[str]

    @classmethod
    def of(cls, ref: RuleRef, rule: Rule) -> "BoundRule":
        """Return the rule under this reference."""
        return cls(ref, rule, rule.reads, rule.detectors)


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found of one call.

    `matched` and `failed` are enforced rules: those whose condition holds, and those that deny
    because they depend on one of the failed `detectors`. `shadow` are shadow rules that would have
    taken part. `unpermitted` are the policies without `default: permit` none of whose rules permits
    the call, each as the reference of its default.
    """

    matched: Sequence[BoundRule] = ()
    failed: Sequence[BoundRule] = ()
    detectors: frozenset[str] = frozenset()
    shadow: Sequence[BoundRule] = ()
    unpermitted: Sequence[RuleRef] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision. Where `words` is set, its sentences show facts and are made for each call."""

    decision: Decision
    words: Deny | None = None

    def worded(self, slots: Sequence[FactValue], *, computed_risk: bool) -> Decision:
        """Return the decision with the sentences for these facts."""
        if self.words is None:
            return self.decision
        shown = list(slots)
        if computed_risk:
            shown[_RISK] = self.decision.risk
        message, remedy = self.words.message.render(shown), self.words.remedy.render(shown)
        return replace(self.decision, message=message, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Cause:
    """One reason to deny; the smallest `rank` names the decision."""

    rank: int
    ref: RuleRef
    code: DecisionCode
    words: Deny


def combine(verdicts: Verdicts) -> Outcome:
    """Return the decision on these verdicts, the same in whatever order they come."""
    causes = sorted(_causes(verdicts), key=lambda cause: (cause.rank, _order(cause.ref)))
    matched = _sorted(verdicts.matched)
    contributions = tuple((str(item.ref), item.rule.risk) for item in matched if item.rule.risk)
    decision = Decision(
        effect=Effect.DENY if causes else Effect.PERMIT,
        code=causes[0].code if causes else "",
        message="",
        remedy="",
        determining=_unique(cause.ref for cause in causes) if causes else _permitting(matched),
        obligations=() if causes else _obligations(matched),
        risk=min(sum(points for _, points in contributions), RISK_MAX),
        contributions=contributions,
        matched=tuple(str(item.ref) for item in matched),
        shadow=tuple(str(item.ref) for item in _sorted(verdicts.shadow)),
    )
    return _with_words(decision, causes[0].words) if causes else Outcome(decision)


def none_attached() -> Decision:
    """Return the decision on a call for which no policy is effective."""
    return Decision(
        effect=Effect.DENY,
        code="policy_denied",
        message=_NONE_ATTACHED,
        remedy=_ATTACH,
        determining=(),
        obligations=(),
        risk=0,
        contributions=(),
        matched=(),
        shadow=(),
    )


def merge_redact(left: Redact, right: Redact) -> Redact:
    """Union of the kinds (none named: every kind), lowest score, strictest method."""
    every = not left.kinds or not right.kinds
    return Redact(
        kinds=frozenset() if every else left.kinds | right.kinds,
        min_score=min(left.min_score, right.min_score),
        method=min(left.method, right.method, key=REDACT_METHODS.index),
    )


def merge_cap(left: CapOutputTokens, right: CapOutputTokens) -> CapOutputTokens:
    """The smaller cap."""
    return CapOutputTokens(min(left.max_output_tokens, right.max_output_tokens))


def _with_words(decision: Decision, words: Deny) -> Outcome:
    if words.message.facts or words.remedy.facts:
        return Outcome(decision, words)
    message, remedy = words.message.render(()), words.remedy.render(())
    return Outcome(replace(decision, message=message, remedy=remedy))


def _causes(verdicts: Verdicts) -> Iterable[_Cause]:
    """A rule that says no comes before one that could not be judged, that before silence."""
    for item in verdicts.matched:
        if item.rule.deny:
            yield _Cause(0, item.ref, "policy_denied", item.rule.deny)
    for item in verdicts.failed:
        yield _Cause(1, item.ref, "detector_failed", _failure(item, verdicts.detectors))
    for ref in verdicts.unpermitted:
        words = Deny(plain(f"No rule of the policy {ref.policy} permits this call."), plain(""))
        yield _Cause(2, ref, "policy_denied", words)


def _failure(item: BoundRule, detectors: frozenset[str]) -> Deny:
    names = " and ".join(sorted(item.detectors & detectors))
    message = f"A detector failed ({names}), and the rule {item.ref} refuses the call then."
    return Deny(plain(message), plain(_TRY_AGAIN))


def _permitting(matched: Sequence[BoundRule]) -> tuple[RuleRef, ...]:
    return tuple(item.ref for item in matched if item.rule.permit or _obliges(item.rule))


def _obliges(rule: Rule) -> bool:
    return bool(rule.redact or rule.cap or rule.route)


def _obligations(matched: Sequence[BoundRule]) -> tuple[Obligation, ...]:
    """`matched` is sorted: the highest layer's route is the first."""
    redacts = [item.rule.redact for item in matched if item.rule.redact]
    caps = [item.rule.cap for item in matched if item.rule.cap]
    routes: list[RouteTo] = [item.rule.route for item in matched if item.rule.route]
    obligations: list[Obligation] = []
    if redacts:
        obligations.append(reduce(merge_redact, redacts))
    if caps:
        obligations.append(reduce(merge_cap, caps))
    return (*obligations, *routes[:1])


def _order(ref: RuleRef) -> tuple[int, str, str]:
    return LAYERS.index(ref.layer), ref.rule, ref.policy


def _sorted(items: Iterable[BoundRule]) -> list[BoundRule]:
    by_ref = {item.ref: item for item in items}
    return [by_ref[ref] for ref in sorted(by_ref, key=_order)]


def _unique(refs: Iterable[RuleRef]) -> tuple[RuleRef, ...]:
    return tuple(dict.fromkeys(refs))
