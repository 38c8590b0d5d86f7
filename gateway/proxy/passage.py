"""A decided call on its way: what its attempts share, and how one of them ended."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.exchange import (
    Answer,
    Case,
    Charge,
    Head,
    Judgement,
    Permitted,
    Reservation,
    Usage,
)
from gateway.proxy.attempt import AttemptFailed
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Refusal
from gateway.proxy.keeping import Keeping
from gateway.proxy.runtime import Worker
from gateway.proxy.trail import Decided, Trail
from gateway.proxy.wire import Reply
from policies.detectors.finding import Scan
from policies.pdp.decision import Decision
from policies.pdp.rollout import Verdict


class Passage(NamedTuple):
    """A decided call on its way through its attempts; `keeping` is what is kept of answers.

    `trail`, `principal` and `case` are those of `decided`.
    """

    worker: Worker
    reply: Reply
    head: Head
    keeping: Keeping
    decided: Decided
    trail: Trail
    principal: Principal
    case: Case


class Trial(NamedTuple):
    """One admitted attempt: what was judged, what may be sent, what is held for it."""

    judgement: Judgement
    permitted: Permitted
    reservation: Reservation


@dataclass(slots=True)
class Outcome:
    """How an attempt ended: without a `failure` the client has its answer.

    `basis` says what is charged (settle.charge); `written` is the answer's body as JSON where it
    was written out; `again`, whether another deployment may be tried;
    `denied`, that nothing was tried because it is forbidden there; `last`, that nobody else may be
    tried; `is_cut`, that we ended it, which says nothing of the provider.
    """

    failure: Refusal | None = None
    again: bool = False
    denied: bool = False
    last: bool = False
    is_cut: bool = False
    basis: str = "usage"
    usage: Usage | None = None
    spent: Charge | None = None
    finish: str = ""
    answer: Answer | None = None
    written: bytes = b""
    scan: Scan | None = None
    decision: Decision | None = None
    facts: list[Any] | None = None
    hidden: dict[str, int] | None = None
    verdict: Verdict | None = None
    status: int = 200

    @property
    def code(self) -> str:
        """The code of the failure; nothing where the client has its answer."""
        return self.failure.code if self.failure else ""

    def cut(self, why: Refusal) -> None:
        """Note that the attempt was ended by us: nobody can prove that it is not billed."""
        self.failure, self.basis, self.is_cut = why, "bound", True

    def fail(self, failed: AttemptFailed) -> None:
        """Note that the provider gave no answer that can be passed on."""
        self.failure, self.again = failed.refusal, failed.again
        self.basis = "bound" if failed.billed else "not_billed" if failed.sent else "not_sent"
