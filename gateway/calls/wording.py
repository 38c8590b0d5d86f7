"""Figures and names as people read them. Pure."""

from typing import Any

from gateway.calls.story import Money
from policies.pdp import wording as words
from policies.pdp.decision import DEFAULT_RULE
from tenants.money import text_from_micros

SECOND_MS = 1000
MINUTE_MS = 60_000
EXACT_BELOW = 100_000
UNITS = ((10**9, "bn"), (10**6, "M"), (10**3, "k"))
CODES = {
    "authentication_unavailable": "keys could not be checked",
    "budget_unavailable": "the budget's counters were away",
    "concurrency_limit_exceeded": "too many calls ran at once",
    "detector_failed": "a detector failed",
    "evidence_unavailable": "the call could not be recorded",
    "insufficient_quota": "the budget has no room for it",
    "invalid_request": "the request cannot be counted",
    "key_expired": "the key expired meanwhile",
    "key_revoked": "the key was revoked meanwhile",
    "lost": "the process that carried it ended",
    "model_unpriced": "the model has no price, and a budget holds",
    "not_sent": "the client left before it was sent",
    "obligation_unenforceable": "an obligation of the policy cannot be kept",
    "overloaded": "too much was going on",
    "policy_denied": "the policy forbids it",
    "policy_unavailable": "the policy could not be read",
    "rate_limit_exceeded": "too many requests",
    "region_not_served": "nobody serves it in the region that was asked for",
    "tenant_suspended": "the tenant or the app was suspended",
    "tokens_limit_exceeded": "too many tokens",
    "upstream_credential_rejected": "the provider refused our credential",
    "upstream_error": "the provider failed",
    "upstream_rate_limited": "the provider takes no more for now",
    "upstream_rejected": "the provider refused the request",
    "upstream_timeout": "the provider took too long",
    "upstream_unavailable": "the provider has been failing, and is left alone",
}


def of_code(code: str) -> str:
    """Return what a code of a refusal or failure means."""
    return CODES.get(code, code.replace("_", " "))


def money(amount: Money) -> str:
    """Return "USD 0.0012", or "no price" where there is no currency."""
    if not amount.currency:
        return "no price"
    return f"{amount.currency} {text_from_micros(amount.micros)}"


def duration(ms: int | None) -> str:
    """Return "812 ms", "3.2 s" or "2 min 5 s"; nothing for None."""
    if ms is None:
        return ""
    if ms < SECOND_MS:
        return f"{ms} ms"
    if ms < MINUTE_MS:
        return f"{ms / SECOND_MS:.1f} s"
    minutes, rest = divmod(ms // SECOND_MS, 60)
    return f"{minutes} min {rest} s"


def value(fact: Any) -> str:
    """Return the value of a fact as text."""
    if isinstance(fact, bool):
        return "true" if fact else "false"
    if isinstance(fact, str):
        return fact or "(empty)"
    if isinstance(fact, list | tuple):
        return ", ".join(_item(item) for item in fact) or "(none)"
    return str(fact)


def rule(name: str, label: str) -> str:
    """Return how a rule of a policy version is called in a sentence."""
    return f"the default of {label}" if name == DEFAULT_RULE else f"the rule {name} of {label}"


def obligation(recorded: dict[str, Any]) -> str:
    """Return what a recorded obligation asks for."""
    return "; ".join(words.obligation(key, written) for key, written in recorded.items())


def _item(item: Any) -> str:
    # A finding, as it is recorded or as the engine reads it: kind, category, score, place, count.
    if isinstance(item, list | tuple):
        kind, _, score, place, count = item
        return f"{count} {kind} in {place or 'the body'} ({score:g})"
    return str(item)


def rounded(number: int) -> str:
    """Return a count in few characters: whole below 100,000, then "123 k", "1.23 M", "45.6 bn"."""
    if number < EXACT_BELOW:
        return f"{number:,}"
    size, unit = next(each for each in UNITS if number >= each[0])
    share = number / size
    return f"{share:,.{max(0, 3 - len(str(int(share))))}f} {unit}"
