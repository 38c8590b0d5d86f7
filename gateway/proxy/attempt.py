"""How an attempt at a provider can fail: what the client hears, and what it may have cost."""

from gateway.proxy.errors import Refusal, UpstreamFailed

MOST_ANSWER_BYTES = 16 * 1024 * 1024


class AttemptFailed(Exception):
    """One attempt gave no answer that can be passed on.

    `sent`: whether anything may have reached the provider. `billed`: whether it may be charged for.
    `again`: whether another deployment may be tried. `refusal` is what the client hears.
    """

    def __init__(self, refusal: Refusal, *, sent: bool, billed: bool, again: bool) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
        self.sent = sent
        self.billed = billed
        self.again = again


def unreadable(why: str) -> AttemptFailed:
    """Return the failure of an attempt whose answer is no answer."""
    return AttemptFailed(
        UpstreamFailed("upstream_error", f"The provider's answer {why}."),
        sent=True,
        billed=True,
        again=False,
    )
