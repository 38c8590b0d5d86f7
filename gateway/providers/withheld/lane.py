"""Events in the order in which they must leave, some of whose texts are not certain yet. Pure.

A text comes in many events, and what is found in it may begin in one and end in another. Each event
keeps its own part of the text and leaves once that is certain: what stands instead of something is
said where that began, and what it covers of later events is not said, as in a whole answer.
"""

from collections import deque
from collections.abc import Callable, Iterator

import orjson

from policies.detectors.holding import Change, Hold, Manner, Passed, Watch

Make = Callable[[str], bytes]
"""Returns the bytes of an event with this text in it."""


def filling(event: bytes) -> Make:
    """Return what makes an event of its bytes with an empty text: the last `""` of its JSON is
    where a text goes. All else is written once and not with every word."""
    before, after = event.rsplit(b'""', 1)
    return lambda text: b"".join((before, orjson.dumps(text), after))


class Waiting:
    """One event; `open` while a part of its text is not certain."""

    __slots__ = ("_left", "_make", "_said", "_sink", "_texted", "tells")

    def __init__(
        self, make: Make, text: str = "", sink: list[str] | None = None, *, tells: bool = True
    ) -> None:
        self.tells = tells
        self._make = make
        self._said = ""
        self._sink = sink
        self._left = len(text)
        self._texted = bool(text)

    @property
    def open(self) -> bool:
        """Whether more of its text is to be made certain."""
        return self._left > 0

    def take(self, size: int, said: str) -> None:
        """Make certain so many characters, which became these."""
        self._left -= size
        self._said += said

    def leave(self) -> bytes:
        """Return what may leave now: nothing, where all of a text went with what was found."""
        text, self._said = self._said, ""
        if text and self._sink is not None:
            self._sink.append(text)
        return self._make(text) if text or not self._texted else b""


class _Voice:
    """One text in the making, and the events that it comes in."""

    __slots__ = ("hold", "waiting")

    def __init__(self, watch: Watch, manner: Manner) -> None:
        self.hold = Hold(watch, manner)
        self.waiting: deque[tuple[Waiting, str]] = deque()

    def pass_on(self, passed: Passed) -> None:
        """Give the events their parts of what is certain now."""
        done, changes = 0, deque(passed.changes)
        while done < passed.size:
            event, text = self.waiting.popleft()
            part = text[: passed.size - done]
            event.take(len(part), "".join(_spelled(part, done, changes)) if changes else part)
            if len(part) < len(text):
                self.waiting.appendleft((event, text[len(part) :]))
            done += len(part)


def _spelled(text: str, begin: int, changes: deque[Change]) -> Iterator[str]:
    """Yield what becomes of a part of a text that begins there; changes that are over are removed.

    A change that began before this part is already said, and only takes away.
    """
    at, end = begin, begin + len(text)
    while changes and changes[0][0] < end:
        start, stop, to = changes[0]
        if start >= begin:
            yield text[at - begin : start - begin]
            yield to
        at = min(stop, end)
        if stop > end:
            break
        changes.popleft()
    yield text[at - begin :]


class Lane:
    """Events that leave one after the other; `spoke` once one of them said anything."""

    def __init__(self, watch: Watch, manner: Manner) -> None:
        self._watch = watch
        self._manner = manner
        self._events: deque[Waiting] = deque()
        self._ready: list[bytes] = []
        self._voices: dict[object, _Voice] = {}
        self.spoke = False

    @property
    def held(self) -> int:
        """How many characters wait."""
        total = 0
        for voice in self._voices.values():
            total += voice.hold.held
        return total

    def put(self, make: Make, *, tells: bool = False) -> None:
        """Add an event without a text that could go on; `tells` says that it holds a whole part."""
        self._events.append(Waiting(make, tells=tells))

    def say(self, name: object, text: str, make: Make, sink: list[str] | None = None) -> None:
        """Add an event with more of the text of that name; `sink` gets what is said of it."""
        if not text:
            return
        voice = self._voices.get(name)
        if voice is None:
            voice = self._voices[name] = _Voice(self._watch, self._manner)
        passed = voice.hold.feed(text)
        if passed.size == len(text) and not (passed.changes or voice.waiting or self._events):
            self._leave_at_once(make, text, sink)
            return
        event = Waiting(make, text, sink)
        self._events.append(event)
        voice.waiting.append((event, text))
        voice.pass_on(passed)

    def _leave_at_once(self, make: Make, text: str, sink: list[str] | None) -> None:
        """Say a text that is certain and for which nothing before it waits, as most are."""
        self._ready.append(make(text))
        self.spoke = True
        if sink is not None:
            sink.append(text)

    def close(self, name: object) -> None:
        """Say that nothing follows of a text."""
        voice = self._voices.pop(name, None)
        if voice is not None:
            voice.pass_on(voice.hold.feed("", final=True))

    def close_all(self) -> None:
        """Say that nothing follows of any text."""
        for name in list(self._voices):
            self.close(name)

    def leave(self) -> bytes:
        """Return the bytes of what may leave now."""
        out, self._ready = self._ready, []
        while self._events:
            event = self._events[0]
            said = event.leave()
            self.spoke = self.spoke or (event.tells and bool(said))
            out.append(said)
            if event.open:
                break
            self._events.popleft()
        return b"".join(out)
