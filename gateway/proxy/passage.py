"""A decided call on its way: what its attempts share, and how one of them ended."""

from dataclasses import dataclass
from typing import Any

from gateway.exchange import Answer, Case, Charge, Head, Usage
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Refusal
from gateway.proxy.runtime import Worker
from gateway.proxy.trail import Decided, Trail
from gateway.proxy.wire import Reply
from policies.detectors.finding import Scan
from policies.pdp.decision import Decision


@dataclass(frozen=True, slots=True)
class Passage:
    """A decided call on its way through its attempts."""

    worker: Worker
    reply: Reply
    head: Head
    decided: Decided

    @property
    def trail(self) -> Trail:
        """The call's identity and timings."""
        return self.decided.trail

    @property
    def principal(self) -> Principal:
        """Who calls."""
        return self.decided.principal

    @property
    def case(self) -> Case:
        """What was detected and decided."""
        return self.decided.case


@dataclass(slots=True)
class Outcome:
    """How an attempt ended: without a `failure` the client has its answer.

    `basis` says what is charged (settle.charge); `again`, whether another deployment may be tried.
    """

    failure: Refusal | None = None
    again: bool = False
    basis: str = "usage"
    usage: Usage | None = None
    spent: Charge | None = None
    finish: str = ""
    answer: Answer | None = None
    scan: Scan | None = None
    decision: Decision | None = None
    facts: list[Any] | None = None
    hidden: dict[str, int] | None = None
