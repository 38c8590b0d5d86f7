"""What the streams of all dialects have in common: who says what may be seen. Pure."""

from collections.abc import Callable
from typing import Protocol

from gateway.exchange import Body, View
from policies.detectors.holding import Manner, Watch

Show = Callable[[Body], View]
"""Returns the inspection view of an answer in the client's dialect."""


class Inspector(Watch, Protocol):
    """Judges what an answer says as it comes. What must not be said at all is raised."""

    @property
    def manner(self) -> Manner:
        """What is looked for in texts."""

    def weigh(self, size: int) -> None:
        """Take in that so many more characters of text have come."""

    def called(self, name: str) -> None:
        """Take in that a tool is called."""

    def seen(self, body: Body, show: Show) -> Body:
        """Return what may be seen of a part that is whole, given as an answer that holds it."""


class Withheld(Protocol):
    """A stream in the client's dialect on its last step: bytes of whole events in, bytes out."""

    @property
    def held(self) -> int:
        """How many characters of text wait."""

    @property
    def spoke(self) -> bool:
        """Whether anything that the model said has left."""

    def feed(self, data: bytes) -> bytes:
        """Return what may leave."""

    def close(self, data: bytes) -> bytes:
        """Take in the last events; return all that is left."""
