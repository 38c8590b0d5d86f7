"""One call on its way: what is known of it so far, and how long each step took."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from audit.record import instant_ms
from gateway.exchange import Case, Head, Origin, Recalled
from gateway.proxy.directory import Principal
from gateway.proxy.reshape import Reshaping


class Trail:
    """One call on its way: its identity, what is known of it, and how long each step took."""

    __slots__ = (
        "admitted", "at", "attempt", "call_id", "case", "clock", "head", "marks", "origin",
        "principal", "raw", "recalled", "request_id", "reshaping", "started_s", "upstream_s",
        "upstream_since_s",
    )  # fmt: skip

    def __init__(
        self, call_id: UUID, at: datetime, started_s: float, clock: Callable[[], float]
    ) -> None:
        self.call_id = call_id
        self.request_id = str(call_id)
        self.at = at
        self.started_s = started_s
        self.clock = clock
        self.marks: dict[str, int] = {}
        self.upstream_s = 0.0
        self.upstream_since_s: float | None = None
        self.attempt = 0
        self.admitted = False
        self.head: Head | None = None
        self.principal: Principal | None = None
        self.raw = b""
        self.case: Case | None = None
        self.recalled: Recalled | None = None
        self.origin: Origin | None = None
        self.reshaping: Reshaping | None = None

    @property
    def decision_id(self) -> str | None:
        """The id that names the decision, once there is one."""
        return self.request_id if self.case is not None else None

    @property
    def answer(self) -> Origin:
        """How the answer is named where its provider gives none: as it was when it was kept."""
        return self.origin or Origin(f"{self.request_id}-{self.attempt}", self.created_s)

    @property
    def created_s(self) -> int:
        """When the answer was made, where its provider does not say."""
        return self.origin.created_s if self.origin else instant_ms(self.call_id) // 1000

    @property
    def elapsed_s(self) -> float:
        """Seconds since the head arrived."""
        return self.clock() - self.started_s

    def provider_headers(self, route: str) -> Mapping[str, str] | None:
        """Return the headers that are declared for whoever serves this public model name."""
        return None if self.reshaping is None else self.reshaping.provider_headers(route)

    def mark(self, step: str) -> None:
        """Note how many microseconds after its beginning the call finished a step."""
        self.marks[step] = int((self.clock() - self.started_s) * 1e6)

    def upstream_began(self) -> None:
        """The provider has the call: from here on it is not us who are slow."""
        self.upstream_since_s = self.clock()

    def upstream_ended(self) -> None:
        """The provider's answer, or its first chunk, is here."""
        if self.upstream_since_s is not None:
            self.upstream_s += self.clock() - self.upstream_since_s
            self.upstream_since_s = None


class Decided(NamedTuple):
    """A call that was decided: what every record of it is made from."""

    trail: Trail
    principal: Principal
    case: Case
