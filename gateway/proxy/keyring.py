"""Which of a provider's credentials is sent: each in its turn, but for those that rest.

A credential rests where the provider refused it (401, 403), or as long as the provider says that
its limit is used up. It rests for one deployment: a provider may refuse it for one model alone.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from gateway.bundle import Deployment
from gateway.proxy import metrics
from gateway.proxy.errors import Refusal, UpstreamFailed, UpstreamLimited
from gateway.proxy.store.rests import Place, Rest

log = logging.getLogger(__name__)

FIRST_REST_S, LONGEST_REST_S = 30.0, 600.0
MOST_KNOWN = 4096


class Secret(NamedTuple):
    """A credential in clear, in this process only; `id` is its row's. No credential: `NONE`."""

    id: str
    text: str | None

    def __repr__(self) -> str:
        return f"Secret({self.id})"


NONE = Secret("", None)


class Keyring:
    """What one worker knows of the credentials at providers. `changed` hears of those that a
    provider refuses, or takes again."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._resting: dict[Place, Rest] = {}
        self._shared: set[Place] = set()
        self._turn = 0
        self.changed: Callable[[Place], None] = _nobody

    def pick(self, deployment: Deployment, secrets: Sequence[Secret]) -> Secret:
        """Return the next credential that does not rest; the first where all of them do."""
        if len(secrets) == 1:
            return secrets[0]
        self._turn += 1
        for step in range(len(secrets)):
            secret = secrets[(self._turn + step) % len(secrets)]
            if not self._resting or self._wait_s(deployment.id, secret) <= 0:
                return secret
        return secrets[0]

    def refusal(self, deployment: Deployment, secrets: Sequence[Secret]) -> Refusal | None:
        """Return why a deployment cannot be called now; None where one of its credentials can."""
        if not self._resting:
            return None
        waits = [self._wait_s(deployment.id, secret) for secret in secrets]
        wait_s = min(waits)
        if wait_s <= 0:
            return None
        if any(self._resting[Place(deployment.id, secret.id)].refused for secret in secrets):
            return credential_refused(wait_s)
        return UpstreamLimited(
            "upstream_rate_limited",
            "The provider's own rate limit is used up.",
            "Try again later.",
            retry_after_s=wait_s,
        )

    def good(self, deployment: Deployment, secret: Secret) -> None:
        """Note that the provider took a credential."""
        name = Place(deployment.id, secret.id)
        rest = self._resting.get(name) if self._resting else None
        if rest is not None and rest.refused:
            del self._resting[name]
            self.changed(name)

    def refused(self, deployment: Deployment, secret: Secret) -> None:
        """Let a credential rest that the provider refused, and tell the operator."""
        name = Place(deployment.id, secret.id)
        known = self._resting.get(name, Rest(0.0, 0))
        if known.until_s > self._clock():  # a call that was under way with it
            return
        rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2**known.refused)
        self._keep(name, Rest(self._clock() + rest_s, min(known.refused + 1, 10)))
        self.changed(name)
        metrics.CREDENTIALS_REFUSED.labels(deployment.provider).inc()
        log.error(
            "credential_refused",
            extra={
                "provider": deployment.provider,
                "model": deployment.model,
                "credential": secret.id,
                "rests_s": rest_s,
            },
        )

    def limited(self, deployment: Deployment, secret: Secret, wait_s: float) -> None:
        """Let a credential rest, for one deployment, whose limit there is used up."""
        name = Place(deployment.id, secret.id)
        until_s = self._clock() + wait_s
        if until_s > self._resting.get(name, Rest(0.0, 0)).until_s:
            self._keep(name, Rest(until_s, 0))

    def refused_at(self, name: Place) -> Rest | None:
        """Return how long a credential rests that was refused; None where it was not."""
        rest = self._resting.get(name)
        return rest if rest is not None and rest.refused else None

    def adopt(self, told: Mapping[Place, Rest]) -> None:
        """Take over what the workers have told of refused credentials: those that they let rest
        rest here too, within reason, and those that they were told of and no more are."""
        for name, rest in told.items():
            until_s = min(rest.until_s, self._clock() + LONGEST_REST_S)
            own = self._resting.get(name, Rest(0.0, 0))
            if until_s > max(own.until_s, self._clock()):
                self._keep(name, Rest(until_s, max(1, min(rest.refused, 10))))
        for name in self._shared - told.keys():
            if self.refused_at(name) is not None:
                del self._resting[name]
        self._shared = set(told)

    def _keep(self, name: Place, rest: Rest) -> None:
        if len(self._resting) >= MOST_KNOWN:
            now_s = self._clock()
            self._resting = {key: one for key, one in self._resting.items() if one.until_s > now_s}
        self._resting[name] = rest

    def _wait_s(self, deployment_id: str, secret: Secret) -> float:
        """Return how long a credential still rests for a deployment."""
        rest = self._resting.get(Place(deployment_id, secret.id))
        return 0.0 if rest is None else rest.until_s - self._clock()


def _nobody(_: Place) -> None:
    """Nobody wants to know."""


def credential_refused(wait_s: float | None = None) -> UpstreamFailed:
    """Return the refusal of a call for which there is no credential that the provider takes."""
    return UpstreamFailed(
        "upstream_credential_rejected",
        "The provider refused our credential.",
        "Tell the operator: the credential of this provider must be replaced.",
        retry_after_s=wait_s,
    )
