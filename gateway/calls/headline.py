"""What was decided on a call, and why, in one sentence; and what would make it pass. Pure."""

from collections.abc import Mapping
from typing import Any

from gateway.calls import wording
from gateway.calls.story import Call
from policies.pdp.decision import DEFAULT_RULE


def sentence(call: Call) -> str:
    """Return the sentence."""
    if not call.deciding:
        return f"Nothing left the gateway: {wording.of_code(call.code)}."
    return _refused(call) if call.is_refused else _sent(call)


def remedy(call: Call) -> str:
    """Return what would make a denied call pass, as the caller was told; empty: nothing was."""
    for body in (call.last, call.deciding):
        told: str = body.get("decision", {}).get("remedy", "")
        if told:
            return told
    return ""


def labels(call: Call) -> Mapping[str, str]:
    """Return for each policy that held its name and version, by name."""
    named: list[str] = call.deciding.get("policies", [])
    return {label.rpartition("@")[0]: label for label in named}


def _refused(call: Call) -> str:
    decision = call.deciding["decision"]
    if decision["effect"] == "deny":
        return _denial(call, decision, "Denied")
    by = f" by {call.last['rule']}" if call.last.get("rule") else ""
    return f"The policy permits it, but it was refused{by}: {call.last['message']}"


def _sent(call: Call) -> str:
    match call.outcome:
        case "denied":
            return _withheld(call)
        case "permitted":
            return f"Permitted{_grounds(call)}, and answered by {call.attempts[-1].provider}."
        case "failed":
            why = wording.of_code(call.code)
            return (
                f"Permitted{_grounds(call)}, but it failed at {call.attempts[-1].provider}: {why}."
            )
        case "lost":
            return (
                "Permitted and sent, but the process that carried it ended before the answer did:"
                " the whole hold was charged."
            )
        case _:
            return f"Permitted{_grounds(call)}; the answer is awaited."


def _withheld(call: Call) -> str:
    decision = call.last.get("decision", {})
    if decision.get("effect") == "deny":
        return _denial(call, decision, "Sent, and the answer was withheld")
    return f"Permitted and sent, and the answer was cut: {wording.of_code(call.code)}."


def _denial(call: Call, decision: Mapping[str, Any], verdict: str) -> str:
    """Say whether a rule denies, or whether none permits."""
    if not decision["determining"]:
        return f"{verdict} (implicitly): {decision['message']}"
    layer, policy, rule = decision["determining"][0]
    label = labels(call).get(policy, policy)
    others = len(decision["determining"]) - 1
    more = f" and {others} more" if others else ""
    if rule == DEFAULT_RULE:
        return f"{verdict} (implicitly): no rule of {label}{more} permits it."
    by = f"{verdict} (explicitly) by {wording.rule(rule, label)}{more}"
    if decision.get("code") == "detector_failed":
        return f"{by}: it depends on a detector, which failed."
    return f"{by}, on the {layer}'s layer: {decision['message']}"


def _grounds(call: Call) -> str:
    determining = call.deciding.get("decision", {}).get("determining", [])
    if not determining:
        return ": no rule denies it"
    _, policy, rule = determining[0]
    more = f" and {len(determining) - 1} more" if len(determining) > 1 else ""
    return f" by {wording.rule(rule, labels(call).get(policy, policy))}{more}"
