"""Why a call may be refused, and how a refusal reads in the client's dialect.

Refusal
  BadRequest 400              invalid_request, model_unpriced, upstream_rejected
    TooLarge 413              request_too_large
    UnsupportedMedia 415      unsupported_media_type
    HeadersTooLarge 431       headers_too_large
    BodyTimeout 408           request_timeout
    MethodNotAllowed 405      method_not_allowed
  Unauthenticated 401         invalid_api_key, key_expired, key_revoked
  Forbidden 403               policy_denied, model_not_allowed, endpoint_not_allowed,
                              tenant_suspended, detector_failed, obligation_unenforceable,
                              region_not_served, service_not_allowed
  NotFound 404                model_not_found, not_found
  Conflict 409                idempotency_conflict, idempotency_in_progress
  OverLimit 429               rate_limit_exceeded, tokens_limit_exceeded,
                              concurrency_limit_exceeded, upstream_rate_limited
    BeyondLimit 429           tokens_limit_exceeded
    OverBudget 429            insufficient_quota
  NotGovernable 501           not_governable
  UpstreamFailed 502          upstream_error, upstream_credential_rejected
    UpstreamTimeout 504       upstream_timeout
  Unavailable 503             evidence_unavailable, budget_unavailable,
                              authentication_unavailable, policy_unavailable, overloaded,
                              upstream_unavailable, idempotency_unavailable

A refusal says what happened, which rule, and what would make it pass. It is safe to show: its texts
are ours, or a provider's after our secrets were taken out.
"""

import math
from dataclasses import dataclass
from typing import Any

DO_NOT_RETRY = (b"x-should-retry", b"false")
"""SDKs try again after a 429 and a 5xx, unless they are told that it would not help."""


@dataclass(eq=False)
class Refusal(Exception):
    """Base of every refusal; `status` and `type` belong to the class, `code` to the instance.

    `faults` are those of a body, each with its path and what is wrong there.
    """

    code: str
    message: str
    remedy: str = ""
    rule: str | None = None
    policy: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    decision_id: str | None = None
    faults: tuple[dict[str, str], ...] = ()

    status = 500
    type = "api_error"

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def body(self) -> dict[str, Any]:
        """Return the error object of the OpenAI dialect."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "code": self.code,
                "param": self.param,
                "decision_id": self.decision_id,
                "rule": self.rule,
                "policy": self.policy,
                "remedy": self.remedy or None,
                **({"faults": list(self.faults)} if self.faults else {}),
            }
        }

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that go with the status."""
        if self.retry_after_s is None:
            return []
        return [(b"retry-after", str(max(1, math.ceil(self.retry_after_s))).encode())]


class BadRequest(Refusal):
    """The request is not one that we can read, price or forward."""

    status = 400
    type = "invalid_request_error"


class TooLarge(BadRequest):
    """The body is larger than the limit."""

    status = 413


class UnsupportedMedia(BadRequest):
    """The body is not JSON in UTF-8 without content encoding."""

    status = 415


class HeadersTooLarge(BadRequest):
    """The head of the request is larger than the limit."""

    status = 431


class BodyTimeout(BadRequest):
    """The request did not arrive in time."""

    status = 408


class MethodNotAllowed(BadRequest):
    """The endpoint exists, but not with this method."""

    status = 405


class Unauthenticated(Refusal):
    """The presented key is unknown, expired or revoked."""

    status = 401
    type = "authentication_error"


class Forbidden(Refusal):
    """A policy, a role or a state forbids the call."""

    status = 403
    type = "permission_error"


class NotFound(Refusal):
    """No such endpoint or model."""

    status = 404
    type = "not_found_error"


class Conflict(Refusal):
    """The Idempotency-Key stands for another request, or for one that is under way."""

    status = 409
    type = "invalid_request_error"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Tell the SDKs when to retry, or not to."""
        return Refusal.headers(self) or [DO_NOT_RETRY]


class OverLimit(Refusal):
    """A rate limit is spent for the moment."""

    status = 429
    type = "rate_limit_error"


class BeyondLimit(OverLimit):
    """A call asks for more than a limit ever has room for: trying again does not help."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Tell the SDKs not to retry."""
        return [*OverLimit.headers(self), DO_NOT_RETRY]


class OverBudget(OverLimit):
    """A budget does not have room for what the call may cost: trying again does not help."""

    type = "budget_exceeded"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Tell the SDKs not to retry."""
        return [*OverLimit.headers(self), DO_NOT_RETRY]


class NotGovernable(Refusal):
    """The endpoint exists at providers, but a policy could not be enforced on it."""

    status = 501

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Tell the SDKs not to retry."""
        return [*Refusal.headers(self), DO_NOT_RETRY]


class UpstreamFailed(Refusal):
    """No deployment gave an answer that can be passed on."""

    status = 502


class UpstreamTimeout(UpstreamFailed):
    """The provider did not answer in time."""

    status = 504


class UpstreamLimited(UpstreamFailed):
    """The provider limits us."""

    status = 429
    type = "rate_limit_error"

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Every 429 of a provider names a time to come back."""
        return UpstreamFailed.headers(self) or [(b"retry-after", b"1")]


class Unavailable(Refusal):
    """Something that a governed call needs is away: closed by default."""

    status = 503

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Every 503 names a time to come back."""
        return Refusal.headers(self) or [(b"retry-after", b"1")]


def fault() -> Refusal:
    """Return what a caller hears of a fault of ours."""
    return Refusal("internal_error", "The gateway failed; the operator's log has the request id.")
