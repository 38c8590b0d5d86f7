"""A request with an Idempotency-Key is sent once: sent again, it gets the first answer for nothing.

The key counts within one virtual key, one end user and one endpoint. It is looked for after the
decision, so that who may not call any more gets no answer either, and what is given again is looked
at by every rule on answers once more. A request that failed leaves its key free.
"""

import re

import orjson

from gateway.bundle import Deployment, Route
from gateway.exchange import Recalled
from gateway.proxy.caching import Found, Keeper
from gateway.proxy.errors import BadRequest, Conflict, Unavailable
from gateway.proxy.kept import Kept
from gateway.proxy.store.connection import StoreDown, StoreError
from gateway.proxy.trail import Decided

KEY = re.compile(rb"\A[!-~]{1,200}\Z")
MOST_BYTES = 4 * 1024 * 1024
BESIDE_BYTES = 2048
"""What an answer takes besides its bytes."""

RETRY_AFTER_S = 1.0
DIGEST_CHARS = 48
UNDER_WAY, DONE = b"L", b"A"


class Once:
    """One request that is to be sent once."""

    __slots__ = ("_decided", "_digest", "_keep_s", "_keeper", "_key", "_mark", "_name", "_taken")

    def __init__(self, keeper: Keeper, decided: Decided, key: bytes, keep_s: int) -> None:
        trail, principal, case = decided
        sealer, head = principal.tenant.sealer, trail.head
        user = principal.row.user or (head.user if head else "") or case.call.user
        self._keeper = keeper
        self._decided = decided
        self._keep_s = keep_s
        self._key = key
        # Of the body as it was read: a form that is sent again may part its fields otherwise.
        body = orjson.dumps(case.call.body, option=orjson.OPT_SORT_KEYS)
        asked = case.call.service.operation if case.call.service else None
        what = f"{asked.method} {asked.path}".encode() if asked else b""
        self._digest = sealer.name(b"request", body, case.call.file, what).encode()
        self._name = sealer.name(
            b"once", principal.row.public_id.encode(), user.encode(),
            case.call.endpoint.value.encode(), key,
        )  # fmt: skip
        self._mark = UNDER_WAY + self._digest + trail.request_id.encode()
        self._taken = False

    async def claim(self) -> Found | None:
        """Return the answer that the request got before; None for one that is to be sent now.

        Raises Conflict where the key was used for another request, or this one is under way, and
        BadRequest where it is none.
        """
        if not KEY.match(self._key):
            raise BadRequest(
                "invalid_request",
                "An Idempotency-Key is 1 to 200 printable ASCII characters without spaces.",
                param="idempotency-key",
            )
        tenant_id = self._decided.principal.row.tenant_id
        try:
            held = await self._keeper.leases.claim(tenant_id, self._name, self._mark)
        except (StoreDown, StoreError):
            raise Unavailable(
                "idempotency_unavailable",
                "Nobody can say now whether this Idempotency-Key was used before.",
                "Try again, or leave the header out.",
            ) from None
        if held is None:
            self._taken = True
            return None
        return self._before(held[:1], held[1 : 1 + DIGEST_CHARS], held[1 + DIGEST_CHARS :])

    def done(self, kept: Kept | None) -> None:
        """Keep the answer for whoever sends the request again; None: it is too large for that."""
        if not self._taken:
            return
        self._taken = False
        principal = self._decided.principal
        sealed = b""
        most = min(MOST_BYTES, self._keeper.answers.most_bytes - BESIDE_BYTES)
        if kept is not None and len(kept.raw) <= most:
            sealed = principal.tenant.sealer.seal(self._name, kept, self._keeper.noise())
        self._keeper.leases.answered(
            principal.row.tenant_id,
            self._name,
            self._mark,
            DONE + self._digest + sealed,
            self._keep_s * 1000,
        )

    def end(self) -> None:
        """Leave the key free where the request got no answer."""
        if self._taken:
            self._taken = False
            tenant_id = self._decided.principal.row.tenant_id
            self._keeper.leases.release(tenant_id, self._name, self._mark)

    def _before(self, state: bytes, digest: bytes, sealed: bytes) -> Found:
        if digest != self._digest:
            raise Conflict(
                "idempotency_conflict",
                "This Idempotency-Key was sent with another request before.",
                "Use a new key for each request.",
            )
        if state == UNDER_WAY:
            raise Conflict(
                "idempotency_in_progress",
                "The first request with this Idempotency-Key is still under way.",
                "Try again shortly; SDKs do so by themselves.",
                retry_after_s=RETRY_AFTER_S,
            )
        kept = self._decided.principal.tenant.sealer.open(self._name, sealed)
        place = self._place(kept) if kept is not None else None
        if kept is None or place is None:
            raise lost()
        age_s = max(0, int(self._keeper.clock() - kept.kept_s))
        self._decided.trail.origin = kept.origin
        return Found(kept, *place, Recalled("replayed", age_s, first=kept.call_id))

    def _place(self, kept: Kept) -> tuple[Route, Deployment] | None:
        """Return who answered, while they still serve the model, or are the service."""
        own, routes = self._decided.case.route, self._decided.principal.tenant.bundle.routes
        route = own if own.name == kept.route else routes.get(kept.route)
        for deployment in route.deployments if route is not None else ():
            if route is not None and deployment.id == kept.deployment:
                return route, deployment
        return None


def lost() -> Conflict:
    """Return the refusal of a request whose answer was not kept, or not whole."""
    return Conflict(
        "idempotency_conflict",
        "The request was answered, but its answer cannot be given again.",
        "Use a new key to have it sent, and charged, once more.",
    )


def once(keeper: Keeper, decided: Decided, keep_s: int) -> Once | None:
    """Return the request with its Idempotency-Key; None for one without."""
    head = decided.trail.head
    given = head.headers.get(b"idempotency-key") if head else None
    if given is None:
        return None
    return Once(keeper, decided, given, keep_s)
