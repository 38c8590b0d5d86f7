"""What of one call's answer is kept: in the cache, and for who sends the request again."""

from gateway.exchange import Charge, Judgement, Permitted, Reservation
from gateway.providers.dialects import TOLD
from gateway.proxy.caching import Caching, Found, Keeper, caching
from gateway.proxy.errors import Forbidden, Refusal
from gateway.proxy.forward import UpstreamResponse
from gateway.proxy.kept import Kept
from gateway.proxy.once import MOST_BYTES, Once, once
from gateway.proxy.recording import Recording
from gateway.proxy.trail import Decided

CUT_OFF = frozenset({"length", "content_filter"})
"""Ends of an answer that is not all that was to be said; the same request may fare better."""


class Keeping:
    """One call's dealings with kept answers. `judged` is what was judged to look for one."""

    __slots__ = ("_decided", "_heard", "_keeper", "caching", "judged", "once")

    def __init__(self, keeper: Keeper, decided: Decided, keep_s: int) -> None:
        self._keeper = keeper
        self._decided = decided
        self.once: Once | None = once(keeper, decided, keep_s)
        self.caching: Caching | None = caching(keeper, decided)
        self._heard: tuple[str, Recording] | None = None
        self.judged: tuple[Judgement, Permitted] | None = None

    @property
    def any(self) -> bool:
        """Whether an answer may be kept for this call."""
        return self.once is not None or self.caching is not None

    @property
    def stale(self) -> Found | None:
        """An answer that is too old unless nobody can be asked."""
        return self.caching.stale if self.caching is not None else None

    def heard(self, response: UpstreamResponse, reservation: Reservation) -> UpstreamResponse:
        """Return the answer to an attempt, remembered while it is read where it may be kept."""
        most = MOST_BYTES if self.once is not None else 0
        if self.caching is not None:
            most = max(most, self.caching.most_bytes)
        if not most:
            return response
        recording = Recording(response, most)
        self._heard = reservation.operation, recording
        return recording

    def answered(
        self,
        permitted: Permitted,
        reservation: Reservation,
        spent: Charge,
        *,
        failure: Refusal | None,
        finish: str,
    ) -> None:
        """Keep the answer that was heard to this attempt, if it was heard to its end. One that a
        rule withheld was paid for: who sends the request again hears so again, and pays nothing."""
        if self._heard is None or self._heard[0] != reservation.operation:
            return  # another attempt's may still be on its way
        (_, recording), self._heard = self._heard, None
        if failure is not None and not isinstance(failure, Forbidden):
            return
        kept = self._kept(permitted, reservation, spent, recording)
        if self.once is not None:
            self.once.done(kept)
        if self.caching is None or kept is None or failure is not None or finish in CUT_OFF:
            return
        if len(kept.raw) <= self.caching.most_bytes:
            self.caching.answered(permitted, kept)

    def given(self, kept: Kept) -> None:
        """Note that a kept answer was given: who sends the request again gets it again."""
        if self.once is not None:
            trail = self._decided.trail
            self.once.done(kept._replace(call_id=trail.request_id, origin=trail.answer))

    def end(self) -> None:
        """Let whoever waits for this call go on by itself, and leave its key free."""
        if self.caching is not None:
            self.caching.end()
        if self.once is not None:
            self.once.end()

    def _kept(
        self, permitted: Permitted, reservation: Reservation, spent: Charge, recording: Recording
    ) -> Kept | None:
        raw, price = recording.raw, reservation.price
        if raw is None:
            return None
        trail, principal, _ = self._decided
        return Kept(
            route=permitted.route.name,
            deployment=permitted.deployment.id,
            content_type=recording.content_type,
            raw=raw,
            kept_s=self._keeper.clock(),
            revision=principal.tenant.bundle.revision,
            app_id=principal.row.app_id,
            cost_pico=str(spent.pico),
            currency=price.currency if price is not None else "",
            call_id=trail.request_id,
            origin=trail.answer,
            status=recording.status,
            told={name: recording.headers[name] for name in TOLD if name in recording.headers},
        )
