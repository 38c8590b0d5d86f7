"""The layers that a call went through, in order, and how far it came. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

from gateway.calls import wording
from gateway.calls.story import Attempt, Call

State = Literal["passed", "stopped", "failed", "waiting", "not_reached"]

POLICY = frozenset({"policy_denied", "detector_failed", "obligation_unenforceable"})


@dataclass(frozen=True, slots=True)
class Step:
    """One layer: what it did with the call, and when it was done (microseconds from the start)."""

    name: str
    state: State
    text: str
    done_us: int | None = None


def steps(call: Call) -> tuple[Step, ...]:
    """Return all layers; those behind the one that stopped the call were not reached."""
    marks: dict[str, int] = call.last.get("timings_us") or call.deciding.get("timings_us", {})
    stopped = _stopped_at(call)
    found = []
    state: State = "passed"
    for name, mark, text in _layers(call):
        if name == stopped:
            state = _end(call)
        found.append(Step(name, state, text if state != "not_reached" else "", marks.get(mark)))
        if state != "passed":
            state = "not_reached"
    return tuple(found)


def _layers(call: Call) -> list[tuple[str, str, str]]:
    """Return for each layer its name, the mark of its end, and what it did."""
    attempt = call.attempts[-1] if call.attempts else None
    return [
        ("Caller", "authenticate", _caller(call)),
        ("Facts", "decide", _facts(call.deciding)),
        ("Policy", "decide", _policy(call)),
        ("Limits and budget", "reserve", _limits(call, attempt)),
        ("Evidence", "admit", _evidence(call, attempt)),
        ("Provider", "", _provider(attempt)),
        ("Answer", "answer", _answer(call, attempt)),
    ]


def _stopped_at(call: Call) -> str:
    if call.is_refused:
        if call.code in POLICY:
            return "Policy"
        return "Evidence" if call.code == "evidence_unavailable" else "Limits and budget"
    if not call.attempts:
        return "Evidence"
    if call.outcome == "denied":
        return "Answer"
    return "" if call.outcome == "permitted" else "Provider"


def _end(call: Call) -> State:
    match call.outcome:
        case "in_flight":
            return "waiting"
        case "denied":
            return "stopped"
        case _:
            return "failed"


def _caller(call: Call) -> str:
    body = call.deciding
    name = body.get("key_name", "")
    parts = [f"key {name} ({call.key_id})" if name else f"key {call.key_id}"]
    if call.app:
        parts.append(f"app {call.app}")
    if body.get("user"):
        parts.append(f"user {body['user']}")
    if body.get("source"):
        parts.append(f"from {body['source']}")
    return ", ".join(parts)


def _facts(body: Any) -> str:
    findings = body.get("facts", {}).get("findings", [])
    kinds = sorted({kind for kind, *_ in findings})
    found = f"found in the request: {', '.join(kinds)}" if kinds else "nothing found in the request"
    return "; ".join([found, *_guards(body)])


def _guards(body: Any) -> list[str]:
    """Return how each of the tenant's guards answered that was asked."""
    return [
        f"the guard {one['guard']}: {wording.of_code(one['outcome'])}, {one['latency_ms']} ms"
        for one in body.get("guards", ())
    ]


def _policy(call: Call) -> str:
    decision = call.deciding.get("decision", {})
    if decision.get("effect") == "deny":
        return str(decision.get("message", ""))
    obligations = [wording.obligation(item) for item in decision.get("obligations", [])]
    return "; ".join(["permitted", *obligations])


def _limits(call: Call, attempt: Attempt | None) -> str:
    if call.is_refused and attempt is None:
        return str(call.last["message"])
    if attempt is None:
        return ""
    return f"held {wording.money(attempt.held)}" if attempt.held.currency else "nothing to hold"


def _evidence(call: Call, attempt: Attempt | None) -> str:
    if attempt is None:
        return wording.of_code(call.code)
    return "the admission was durable before anything left"


def _provider(attempt: Attempt | None) -> str:
    if attempt is None:
        return ""
    where = f"{attempt.provider}, {attempt.upstream_model}"
    if attempt.region:
        where += f" in {attempt.region}"
    if attempt.kept_from:
        return f"{where}: not asked, its answer was kept"
    if attempt.outcome in ("failed", "lost"):
        return f"{where}: {wording.of_code(attempt.code)}"
    return where


def _answer(call: Call, attempt: Attempt | None) -> str:
    decision = call.last.get("decision", {})
    if decision.get("effect") == "deny":
        return str(decision.get("message", ""))
    obligations = [wording.obligation(item) for item in decision.get("obligations", [])]
    finish = f"ended with {attempt.finish}" if attempt and attempt.finish else "passed on"
    if attempt and attempt.finish == "hedge_lost":
        finish = "overtaken by another attempt"
    return "; ".join([finish, *_guards(call.last if attempt else {}), *obligations])
