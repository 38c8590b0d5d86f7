"""The calls in flight, so that a key that may no longer call ends the calls that it began."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from gateway.proxy import metrics
from gateway.proxy.directory import Directory, Principal, check
from gateway.proxy.errors import Refusal, Unauthenticated, Unavailable, UpstreamTimeout

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class OpenCall:
    """A call between its decision and the end of its answer. `cut` says why it was ended."""

    principal: Principal
    task: asyncio.Task[None]
    deadline_s: float
    cut: Refusal | None = None

    def end(self, why: Refusal) -> None:
        """End the call wherever it waits."""
        if self.cut is None:
            self.cut = why
            self.task.cancel()

    def ended(self) -> Refusal:
        """Return why the task was cancelled, and let it live to say so.

        Who cancels without a word is the server, which has waited for its calls long enough.
        """
        self.task.uncancel()
        return self.cut or Unavailable("overloaded", "The gateway is being stopped.", "Try again.")


class OpenCalls:
    """The open calls of one worker, by tenant."""

    def __init__(self, directory: Directory, clock: Callable[[], float], total_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._directory = directory
        self._total_s = total_s
        self._clock = clock
        self._calls: dict[str, set[OpenCall]] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._again: set[str] = set()
        directory.changed = self.changed

    def enter(self, principal: Principal) -> OpenCall:
        """Keep the running task among the open calls until it leaves."""
        # Only coroutines enter. The loop is told, for to find it takes a system call.
        task = cast("asyncio.Task[None]", asyncio.current_task(self._loop))
        call = OpenCall(principal, task, self._clock() + self._total_s)
        self._calls.setdefault(principal.row.tenant_id, set()).add(call)
        return call

    def leave(self, call: OpenCall) -> None:
        """Forget a call that has ended."""
        tenant_id = call.principal.row.tenant_id
        calls = self._calls[tenant_id]
        calls.discard(call)
        if not calls:
            del self._calls[tenant_id]

    def changed(self, tenant_id: str) -> None:
        """Look at the keys of a tenant's open calls anew: its revision has changed."""
        if tenant_id in self._calls:
            task = self._loop.create_task(self._recheck(tenant_id))
            self._checks.add(task)
            task.add_done_callback(self._checks.discard)

    async def end_expired(self, every_s: float) -> None:
        """End calls whose key expires meanwhile, or that take too long; runs until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            self._look_again()
            now_s = self._clock()
            open_now = 0
            for calls in self._calls.values():
                open_now += len(calls)
                for call in calls:
                    if now_s >= call.principal.expires_s:
                        self._end(call, call.principal)
                    elif now_s >= call.deadline_s:
                        call.end(
                            UpstreamTimeout(
                                "upstream_timeout", "The answer took longer than any may."
                            )
                        )
            metrics.OPEN_CALLS.set(open_now)

    def _look_again(self) -> None:
        """Repeat what failed; past the grace nobody can say who may still call, so nobody may."""
        again, self._again = self._again, set()
        for tenant_id in again:
            self.changed(tenant_id)
        try:
            self._directory.check_fresh()
        except Refusal as refusal:
            for calls in self._calls.values():
                for call in calls:
                    call.end(refusal)

    async def _recheck(self, tenant_id: str) -> None:
        calls = list(self._calls.get(tenant_id, ()))
        for digest in {call.principal.digest for call in calls}:
            try:
                fresh = await self._directory.read(digest)
            except Refusal as refusal:
                log.warning("recheck_failed", extra={"error": refusal.code})
                self._again.add(tenant_id)
                continue
            for call in calls:
                if call.principal.digest == digest:
                    self._end(call, fresh)

    def _end(self, call: OpenCall, principal: Principal | None) -> None:
        if principal is None:
            call.end(Unauthenticated("key_revoked", "The key does not exist any more."))
            return
        try:
            check(principal, self._clock())
        except Refusal as refusal:
            call.end(refusal)
