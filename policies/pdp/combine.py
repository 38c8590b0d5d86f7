"""Many rules, one decision: the laws by which effects merge. Pure.

Every merge is commutative, idempotent and monotone: the order of rules and policies cannot be seen,
saying something twice says it once, and one rule more never loosens what the others say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from policies.pdp.bounds import Situation, bounding, breach
from policies.pdp.decision import LAYERS, Decision, DecisionCode, Effect, RuleRef
from policies.pdp.document import Deny, Rule
from policies.pdp.message import plain
from policies.pdp.obligations import ADVICE, ALLOWED, KINDS, Obligation, RouteTo
from policies.pdp.reliance import depends_on
from policies.pdp.request import RISK_MAX, SLOTS, FactValue, Phase

_RISK = SLOTS["risk"]
_NONE_ATTACHED = "No policy is attached to this call, and what nothing permits is refused."
_ATTACH = "Ask the administrator to attach a policy to the tenant or the app."
_AUTHOR = "Tell the policies' authors: their lists have nothing in common."
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
        return cls(ref, rule, rule.reads, depends_on(rule))


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found of one call.

    `matched` and `failed` are enforced rules: those whose condition holds, and those that deny
    because they depend on one of the failed `detectors`. `shadow` are shadow rules that would have
    taken part. `unpermitted` are the policies without `default: permit` none of whose rules permits
    the call, each as the reference of its default. `exemptions` name those that kept a rule out.
    """

    matched: Sequence[BoundRule] = ()
    failed: Sequence[BoundRule] = ()
    detectors: frozenset[str] = frozenset()
    shadow: Sequence[BoundRule] = ()
    unpermitted: Sequence[RuleRef] = ()
    exemptions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision, and what of it must be made for each call.

    Where `words` is set, the sentences of a denial show facts. `bounds` are what rules demand that
    the facts of a call may break: then the decision is to deny after all.
    """

    decision: Decision
    words: Deny | None = None
    bounds: tuple[tuple[RuleRef, Obligation], ...] = ()

    @property
    def final(self) -> bool:
        """True where the decision is the same for every call."""
        return self.words is None and not self.bounds

    def settled(self, phase: Phase, slots: Sequence[FactValue]) -> Decision:
        """Return the decision for these facts."""
        if self.words is not None:
            return self._worded(self.words, phase, slots)
        if self.bounds:
            return self._bounded(phase, slots)
        return self.decision

    def _worded(self, words: Deny, phase: Phase, slots: Sequence[FactValue]) -> Decision:
        shown = list(slots)
        if phase == "request":  # where risk is computed, and its slot not looked at
            shown[_RISK] = self.decision.risk
        message, remedy = words.message.render(shown), words.remedy.render(shown)
        return replace(self.decision, message=message, remedy=remedy)

    def _bounded(self, phase: Phase, slots: Sequence[FactValue]) -> Decision:
        """`bounds` are sorted: the first that is broken is the reason."""
        situation = Situation(phase, slots, self.decision.demand(RouteTo))
        found = [(ref, breach(obligation, situation)) for ref, obligation in self.bounds]
        broken = [(ref, how) for ref, how in found if how is not None]
        if not broken:
            return self.decision
        obligations = self.decision.obligations
        return replace(
            self.decision,
            effect=Effect.DENY,
            code="policy_denied",
            message=broken[0][1].message,
            remedy=broken[0][1].remedy,
            determining=_unique(ref for ref, _ in broken),
            obligations=tuple(item for item in obligations if isinstance(item, ADVICE)),
        )


@dataclass(frozen=True, slots=True)
class _Cause:
    """One reason to deny; the smallest `rank` names the decision."""

    rank: int
    ref: RuleRef
    code: DecisionCode
    words: Deny


def combine(verdicts: Verdicts) -> Outcome:
    """Return the decision on these verdicts, the same in whatever order they come."""
    causes = sorted(_causes(verdicts), key=lambda cause: (cause.rank, order(cause.ref)))
    matched = _sorted(verdicts.matched)
    contributions = tuple((str(item.ref), item.rule.risk) for item in matched if item.rule.risk)
    decision = Decision(
        effect=Effect.DENY if causes else Effect.PERMIT,
        code=causes[0].code if causes else "",
        message="",
        remedy="",
        determining=_unique(cause.ref for cause in causes) if causes else _permitting(matched),
        obligations=_merged(matched, ADVICE if causes else KINDS),
        risk=min(sum(points for _, points in contributions), RISK_MAX),
        contributions=contributions,
        matched=tuple(str(item.ref) for item in matched),
        shadow=tuple(str(item.ref) for item in _sorted(verdicts.shadow)),
        exemptions=tuple(sorted(set(verdicts.exemptions))),
    )
    if causes:
        return _with_words(decision, causes[0].words)
    return Outcome(decision, bounds=_bounds(matched))


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


def _with_words(decision: Decision, words: Deny) -> Outcome:
    if words.message.facts or words.remedy.facts:
        return Outcome(decision, words)
    message, remedy = words.message.render(()), words.remedy.render(())
    return Outcome(replace(decision, message=message, remedy=remedy))


def _causes(verdicts: Verdicts) -> Iterable[_Cause]:
    """A rule that says no comes first, then what is allowed nothing, failures, and silence."""
    for item in verdicts.matched:
        if item.rule.deny:
            yield _Cause(0, item.ref, "policy_denied", item.rule.deny)
    yield from _nothing_left(verdicts.matched)
    for item in verdicts.failed:
        yield _Cause(2, item.ref, "detector_failed", _failure(item, verdicts.detectors))
    for ref in verdicts.unpermitted:
        words = Deny(plain(f"No rule of the policy {ref.policy} permits this call."), plain(""))
        yield _Cause(3, ref, "policy_denied", words)


def _nothing_left(matched: Sequence[BoundRule]) -> Iterable[_Cause]:
    """Rules each of which allows something, and which together allow nothing."""
    for kind in ALLOWED:
        naming = [item for item in _sorted(matched) if item.rule.demand(kind)]
        merged = _merged(naming, (kind,))
        if merged and not cast("Any", merged[0]).names:
            what = kind.key.removeprefix("allow_")
            names = " and ".join(str(item.ref) for item in naming)
            words = Deny(plain(f"The rules {names} together allow no {what}."), plain(_AUTHOR))
            for item in naming:
                yield _Cause(1, item.ref, "policy_denied", words)


def _failure(item: BoundRule, detectors: frozenset[str]) -> Deny:
    names = " and ".join(sorted(item.detectors & detectors))
    message = f"A detector failed ({names}), and the rule {item.ref} refuses the call then."
    return Deny(plain(message), plain(_TRY_AGAIN))


def _permitting(matched: Sequence[BoundRule]) -> tuple[RuleRef, ...]:
    return tuple(item.ref for item in matched if item.rule.permit or item.rule.obligations)


def _bounds(matched: Sequence[BoundRule]) -> tuple[tuple[RuleRef, Obligation], ...]:
    return tuple(
        (item.ref, obligation)
        for item in matched
        for obligation in item.rule.obligations
        if bounding(obligation)
    )


def _merged(
    matched: Sequence[BoundRule], kinds: Sequence[type[Obligation]]
) -> tuple[Obligation, ...]:
    """Return one obligation of each of these kinds. `matched` is sorted, the highest layer first:
    of those whose order counts, the first is the strongest."""
    merged: dict[type[Obligation], Obligation] = {}
    for item in matched:
        for obligation in item.rule.obligations:
            kind = type(obligation)
            earlier = merged.get(kind)
            merged[kind] = obligation if earlier is None else _merge(earlier, obligation)
    return tuple(merged[kind] for kind in kinds if kind in merged)


def _merge(earlier: Obligation, later: Obligation) -> Obligation:
    """Both are of one kind, and what merges two of a kind is of that kind."""
    return cast("Obligation", cast("Any", earlier).merge(later))


def order(ref: RuleRef) -> tuple[int, str, str]:
    """Return by what rules are sorted: those of the highest layer come first."""
    return LAYERS.index(ref.layer), ref.rule, ref.policy


def _sorted(items: Iterable[BoundRule]) -> list[BoundRule]:
    by_ref = {item.ref: item for item in items}
    return [by_ref[ref] for ref in sorted(by_ref, key=order)]


def _unique(refs: Iterable[RuleRef]) -> tuple[RuleRef, ...]:
    return tuple(dict.fromkeys(refs))
