"""What both phases do with a decision: a denial becomes a refusal, a redaction becomes edits."""

from gateway.exchange import Edit, View
from gateway.proxy.errors import Forbidden
from policies.detectors.finding import Finding
from policies.detectors.redaction import edits
from policies.pdp.decision import Decision, Redact


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


def redaction_edits(
    view: View, findings: tuple[Finding, ...], redact: Redact, hash_key: bytes
) -> list[Edit]:
    """Return the edits that take out what a redaction names."""
    chosen: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.category == "pii" and redact.covers(finding.kind, finding.score):
            chosen.setdefault(finding.leaf, []).append(finding)
    return [
        Edit(leaf, start, end, text)
        for leaf, found in chosen.items()
        for start, end, text in edits(
            view.leaves[leaf].text, found, method=redact.method, key=hash_key
        )
    ]
