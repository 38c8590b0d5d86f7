"""What both phases do with a decision: denials become refusals, what must go becomes edits, and who
is to be told is told."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from gateway.exchange import Edit, View
from gateway.proxy import metrics
from gateway.proxy.errors import Forbidden
from policies.detectors import placeholders
from policies.detectors.finding import Finding
from policies.detectors.redaction import Mint, edits
from policies.detectors.sanitising import removals
from policies.pdp.decision import Decision
from policies.pdp.obligations import Carrier, Notify, Redact, Sanitise

log = logging.getLogger(__name__)


class Edits(NamedTuple):
    """What changes in a body. `hidden` says how many characters of each carrier go."""

    edits: list[Edit]
    hidden: dict[str, int]


def denied(decision: Decision) -> Forbidden:
    """Return the refusal that a decision to deny is."""
    first = decision.determining[0] if decision.determining else None
    return Forbidden(
        decision.code or "policy_denied",
        decision.message,
        decision.remedy,
        rule=first.rule if first else None,
        policy=first.policy if first else None,
    )


def announce(decision: Decision, decision_id: str | None, tenant: str) -> None:
    """Tell whom the decision names: a line of the log and a count, for which nothing waits."""
    for obligation in decision.obligations:
        if isinstance(obligation, Notify):
            for topic in sorted(obligation.topics):
                metrics.NOTICES.labels(topic).inc()
                log.warning(
                    "policy_notice topic=%s tenant=%s decision_id=%s effect=%s rules=%s",
                    topic,
                    tenant,
                    decision_id,
                    decision.effect.value,
                    ",".join(decision.matched),
                )


def changes(
    view: View,
    findings: Iterable[Finding],
    hash_key: bytes,
    redact: Redact | None,
    sanitise: Sanitise | None,
    *,
    mint: Mint | None = None,
) -> Edits:
    """Return the edits that take out what a redaction names and what hides text."""
    redactions = list(_redactions(view, findings, redact, hash_key, mint=mint)) if redact else []
    if sanitise is None:
        return Edits(redactions, {})
    taken, hidden = _hiding(view, sanitise.carriers)
    return Edits(_united(redactions, taken), hidden)


def restored(view: View, edits: list[Edit], values: Mapping[str, str]) -> list[Edit]:
    """Return the edits of an answer with those that put values in the place of placeholders.

    Where anything of a placeholder is taken out, it is not restored.
    """
    found = [
        Edit(index, one.start, one.end, one.value)
        for index, leaf in enumerate(view.leaves)
        for one in placeholders.find(leaf.text, values)
    ]
    taken = [
        one
        for one in found
        if not any(
            other.leaf == one.leaf and other.start < one.end and one.start < other.end
            for other in edits
        )
    ]
    return sorted([*edits, *taken], key=lambda edit: (edit.leaf, edit.start)) if taken else edits


def _hiding(view: View, carriers: frozenset[Carrier]) -> tuple[list[Edit], dict[str, int]]:
    """Look at each string by itself: what begins in one and ends in another is not one thing."""
    taken: list[Edit] = []
    hidden: dict[str, int] = {}
    for index, leaf in enumerate(view.leaves):
        for segment in view.segments[index]:
            for item in removals(leaf.text[segment.start : segment.end], carriers):
                start, end = segment.start + item.start, segment.start + item.end
                taken.append(Edit(index, start, end, item.text))
                hidden[item.carrier] = hidden.get(item.carrier, 0) + item.end - item.start
    return taken, hidden


def _redactions(
    view: View,
    findings: Iterable[Finding],
    redact: Redact,
    hash_key: bytes,
    *,
    mint: Mint | None,
) -> Iterator[Edit]:
    chosen: dict[int, list[Finding]] = {}
    for finding in findings:
        if _covered(redact, finding):
            chosen.setdefault(finding.leaf, []).append(finding)
    for leaf, found in chosen.items():
        text = view.leaves[leaf].text
        for start, end, instead in edits(
            text, found, method=redact.method, key=hash_key, mint=mint
        ):
            yield Edit(leaf, start, end, instead)


def _covered(redact: Redact, finding: Finding) -> bool:
    if finding.category == "pii":
        return redact.covers(finding.kind, finding.score)
    if finding.category == "secret":
        return redact.covers_secret(finding.kind, finding.score)
    if finding.category == "custom":
        return redact.covers_custom(finding.kind, finding.score)
    return finding.category == "link" and redact.links


def _united(redactions: list[Edit], taken: list[Edit]) -> list[Edit]:
    """Return edits of which none overlaps: those that do become one, of all that they cover.

    What is said instead of an entity stays, unless the entity lies in what is taken out.
    """
    united: list[Edit] = []
    for edit in sorted([*redactions, *taken], key=lambda edit: (edit.leaf, edit.start, -edit.end)):
        last = united[-1] if united else None
        if last is None or last.leaf != edit.leaf or last.end <= edit.start:
            united.append(edit)
        elif edit.end > last.end:
            united[-1] = Edit(edit.leaf, last.start, edit.end, last.text + edit.text)
    return united
