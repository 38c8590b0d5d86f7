"""The tenant's own guards: asked what they find in texts, within their deadline, and only once.

What a guard says is a fact like any detector's; rules decide. One that fails in any way is a
detector that failed: each rule that depends on it goes by its `on_error`. One that keeps failing is
left alone for a while, so that it does not cost each call its deadline.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple

from gateway import bundle, envelope
from gateway.exchange import UpstreamRequest
from gateway.guards import contract
from gateway.guards.contract import Asked, BadAnswer
from gateway.guards.masking import Masked, unmasked
from gateway.proxy import metrics
from gateway.proxy.errors import Unavailable
from gateway.proxy.gate import Gate
from gateway.proxy.guard_memory import GuardMemory
from gateway.proxy.http1 import Broken, ReadTimeout, Response, TooLong
from gateway.proxy.upstream import ConnectTimeout, NotConnected, Pools, Timeouts
from gateway.routing import circuit
from policies.detectors.finding import Finding, Heard, Leaf, Scan
from policies.detectors.scanner import MAX_TEXT

log = logging.getLogger(__name__)

CUSTOM: Final = "custom"
"""The detector that has failed where a guard has."""

MOST_IN_FLIGHT: Final = 64
"""Requests under way at one guard, from one worker; as many wait for their turn."""

MOST_LINES: Final = 4096
GOOD: Final = frozenset({"answered", "remembered"})
FAILING: Final = frozenset({"late", "unreachable", "broken", "status"})
"""What says that a guard is not well; a bad answer to one text says nothing of the next."""


class GuardFailed(Exception):
    """A guard gave no findings; `outcome` says in a word why."""

    def __init__(self, outcome: str, detail: str = "") -> None:
        super().__init__(detail or outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class LoadedGuard:
    """A guard ready to be asked; its secrets in clear are in this process only."""

    guard: bundle.Guard
    version: str
    secrets: tuple[str, ...] = field(repr=False)


Masks = Callable[[], Awaitable[list[Masked] | None]]
"""Returns the leaves without personal data; None where that cannot be told for certain."""


class Inquiry(NamedTuple):
    """What is asked of guards: in whose call, and about which texts. `mask` returns them without
    personal data."""

    asked: Asked
    leaves: Sequence[Leaf]
    digest: Callable[[bytes], str]
    mask: Masks


def loaded(guards: Sequence[bundle.Guard], masters: tuple[bytes, ...]) -> tuple[LoadedGuard, ...]:
    """Return guards with their secrets opened; EnvelopeError where no master key opens one."""
    return tuple(
        LoadedGuard(guard, contract.fingerprint(guard), _opened(guard, masters)) for guard in guards
    )


class Guards:
    """What one worker knows of the guards of its tenants. `clock` is in UTC epoch seconds."""

    def __init__(
        self, pools: Pools, clock: Callable[[], float], stopwatch: Callable[[], float]
    ) -> None:
        self._pools = pools
        self._clock = clock
        self._stopwatch = stopwatch
        self._lines: dict[tuple[str, str], _Line] = {}
        self._memory = GuardMemory(clock)

    async def scan(self, guards: Sequence[LoadedGuard], inquiry: Inquiry, scan: Scan) -> Scan:
        """Return a scan with what these guards find too; they are asked all at once."""
        masks = None
        if any(each.guard.redacted for each in guards):
            masks = await inquiry.mask()
        heard = await asyncio.gather(*(self._heard(each, inquiry, masks) for each in guards))
        found = tuple(one for findings, _ in heard for one in findings)
        told = tuple(one for _, one in heard)
        failed = any(one.outcome not in GOOD for one in told)
        return Scan(
            (*scan.findings, *found),
            scan.failed | {CUSTOM} if failed else scan.failed,
            (*scan.heard, *told),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._pools.close()

    async def _heard(
        self, guard: LoadedGuard, inquiry: Inquiry, masks: list[Masked] | None
    ) -> tuple[tuple[Finding, ...], Heard]:
        began_s, found = self._stopwatch(), tuple[Finding, ...]()
        try:
            found, outcome = await self._findings(guard, inquiry, masks)
        except GuardFailed as failed:
            outcome = failed.outcome
            if outcome != "left_alone":  # that it is was told when it began
                _log_failure(guard, inquiry.asked, failed)
        took_s = self._stopwatch() - began_s
        metrics.guard(inquiry.asked.phase, outcome, took_s)
        return found, Heard(guard.guard.name, guard.version, outcome, int(took_s * 1000))

    async def _findings(
        self, guard: LoadedGuard, inquiry: Inquiry, masks: list[Masked] | None
    ) -> tuple[tuple[Finding, ...], str]:
        """Return what a guard finds, asked or remembered; raise GuardFailed where it does not."""
        leaves, phase = inquiry.leaves, inquiry.asked.phase
        if sum(len(leaf.text) for leaf in leaves) > MAX_TEXT:
            raise GuardFailed("too_large")
        seen = [Masked(leaf) for leaf in leaves] if not guard.guard.redacted else masks
        if seen is None:
            raise GuardFailed("unmasked")
        keys = [
            (guard.version, phase, one.leaf.role, inquiry.digest(one.leaf.text.encode()))
            for one in (seen if guard.guard.cache else ())
        ]
        known = [self._memory.known(key) for key in keys] or [None] * len(leaves)
        unread = [index for index, verdict in enumerate(known) if verdict is None]
        if unread:
            told = await self._asked(guard, inquiry.asked, [seen[index].leaf for index in unread])
            for place, index in enumerate(unread):
                known[index] = tuple(one for one in told if one.leaf == place)
                if keys:
                    self._memory.keep(keys[index], known[index] or ())
        found = [
            unmasked(one, seen[index])._replace(leaf=index)
            for index, each in enumerate(known)
            for one in each or ()
        ]
        return tuple(found), "answered" if unread else "remembered"

    async def _asked(
        self, guard: LoadedGuard, asked: Asked, leaves: list[Leaf]
    ) -> tuple[Finding, ...]:
        """Ask once; what comes of it goes into the guard's circuit."""
        line = self._line(guard)
        now_s = self._clock()
        if not circuit.admits(line.circuit, now_s):
            raise GuardFailed("left_alone")
        line.circuit = circuit.began(line.circuit, now_s)
        outcome = "abandoned"
        try:
            found = await self._within(guard, line, asked, leaves)
            outcome = "answered"
        except GuardFailed as failed:
            outcome = failed.outcome
            raise
        finally:
            self._learn(guard, line, outcome)
        return found

    async def _within(
        self, guard: LoadedGuard, line: "_Line", asked: Asked, leaves: list[Leaf]
    ) -> tuple[Finding, ...]:
        try:
            async with asyncio.timeout(guard.guard.deadline_ms / 1000):
                await line.gate.enter()
                try:
                    raw = await self._exchange(guard, asked, leaves)
                finally:
                    line.gate.leave()
        except (TimeoutError, ConnectTimeout, ReadTimeout):
            raise GuardFailed("late") from None
        except Unavailable:
            raise GuardFailed("busy") from None
        except NotConnected as error:
            raise GuardFailed("unreachable", str(error)) from None
        except Broken:
            raise GuardFailed("broken") from None
        try:
            return contract.read(raw, guard.guard, leaves)
        except BadAnswer as fault:
            raise GuardFailed("invalid", str(fault)) from None

    async def _exchange(self, guard: LoadedGuard, asked: Asked, leaves: list[Leaf]) -> bytes:
        """Send the texts, and return the bytes of a good answer."""
        try:
            body = contract.written(guard.guard, asked, leaves)
        except UnicodeEncodeError:
            raise GuardFailed("invalid", "a text is no Unicode") from None
        headers = contract.signed(body, guard.secrets, int(self._clock()))
        deadline_s = guard.guard.deadline_ms / 1000
        response = await self._pools.post(
            UpstreamRequest(guard.guard.url, headers, body),
            Timeouts(deadline_s, deadline_s, deadline_s, deadline_s),
            private=guard.guard.allow_private,
        )
        try:
            _check_head(response)
            return await response.read(contract.MOST_BYTES)
        except TooLong:
            raise GuardFailed("invalid", f"it is over {contract.MOST_BYTES} bytes") from None
        finally:
            response.close()

    def _learn(self, guard: LoadedGuard, line: "_Line", outcome: str) -> None:
        before, now_s = line.circuit, self._clock()
        if outcome in FAILING:
            line.circuit = circuit.failed(before, now_s)
            if line.circuit.until_s > before.until_s:
                log.error("guard_left_alone", extra={"guard": guard.guard.name})
        elif outcome in ("abandoned", "busy"):
            line.circuit = circuit.abandoned(before)
        elif before is not circuit.CLOSED:
            line.circuit = circuit.succeeded(before, now_s)

    def _line(self, guard: LoadedGuard) -> "_Line":
        """Return what is known of a guard under its configuration: a new one begins anew."""
        name = guard.guard.id, guard.version
        line = self._lines.get(name)
        if line is None:
            if len(self._lines) >= MOST_LINES:
                idle = next((key for key, one in self._lines.items() if not one.gate.inside), None)
                if idle is not None:
                    del self._lines[idle]
            line = self._lines[name] = _Line(guard.guard)
        return line


class _Line:
    """One guard as this worker knows it."""

    __slots__ = ("circuit", "gate")

    def __init__(self, guard: bundle.Guard) -> None:
        shed = metrics.SHED.labels("guard").inc
        wait_s = guard.deadline_ms / 1000
        self.gate = Gate(MOST_IN_FLIGHT, MOST_IN_FLIGHT, wait_s, shed)
        self.circuit = circuit.CLOSED


def _check_head(response: Response) -> None:
    """Raise GuardFailed unless the answer is good and plain; a redirect is no answer."""
    if response.status != HTTPStatus.OK:
        well = response.status < HTTPStatus.INTERNAL_SERVER_ERROR
        raise GuardFailed("invalid" if well else "status", f"status {response.status}")
    try:
        contract.check_head(response.headers)
    except BadAnswer as fault:
        raise GuardFailed("invalid", str(fault)) from None


def _log_failure(guard: LoadedGuard, asked: Asked, failed: GuardFailed) -> None:
    said = {"guard": guard.guard.name, "tenant": asked.tenant, "outcome": failed.outcome}
    log.warning("guard_failed", extra={**said, "phase": asked.phase, "detail": str(failed)})


def _opened(guard: bundle.Guard, masters: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(
        envelope.unseal(envelope.Sealed(sealed.sealed, sealed.key_id), sealed.row, masters)
        for sealed in guard.secrets
    )
