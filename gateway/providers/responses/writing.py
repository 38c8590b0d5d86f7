"""Writes the pieces of a reply as the events of a response's stream, as they come. Pure."""

from collections.abc import Iterable

from gateway.exchange import Body, Usage
from gateway.providers.conversation import Part, ToolUse
from gateway.providers.dialect import Source
from gateway.providers.reply import (
    Argued,
    Called,
    Finished,
    Gathering,
    Piece,
    Refused,
    Said,
    Thought,
)
from gateway.providers.responses import answering
from gateway.providers.responses.events import Events

_OPENED: dict[str, Body] = {
    "output_text": {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
    "refusal": {"type": "refusal", "refusal": ""},
    "summary_text": {"type": "summary_text", "text": ""},
}


class ResponseWriter:
    """One message or one thought is open at a time; calls stay open to the end, since a provider
    may write several at once. A response has no choices: the first is written, the rest dropped."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._events = Events()
        self._gathering = Gathering()
        self._begun = False
        self._next = 0
        self._item: Body | None = None
        self._part = ""
        self._parts = 0
        self._calls: dict[int, Body] = {}
        self._finish = ""

    def write(self, told: Iterable[Piece]) -> bytes:
        """Return the events of these pieces."""
        events: list[bytes] = []
        for piece in told:
            if not piece.choice:
                events += self._write(piece)
        return b"".join(events)

    def end(self, usage: Usage | None) -> bytes:
        """Return the end of what is open, and the whole response."""
        events = [*self._begin(), *self._close_item()]
        output = self._output()
        last = answering.ended(self._source, output, self._finish, usage)
        for at in self._calls.values():
            item = last["output"][at["output_index"]]
            events += [
                self._events.arguments_done(at, item),
                self._events.done(at["output_index"], item),
            ]
        return b"".join([*events, self._events.end(last)])

    def _write(self, piece: Piece) -> list[bytes]:
        events = self._begin()
        match piece:
            case Said(_, text):
                events += self._say("message", "output_text", text)
            case Refused(_, text):
                events += self._say("message", "refusal", text)
            case Thought():
                events += self._think(piece)
            case Called(_, number, identity, name):
                events += self._call(number, ToolUse(identity, name, ""))
            case Argued(_, number, text):
                events.append(self._events.argued(self._calls[number], text))
            case Finished(_, reason):
                self._finish = reason
        self._gathering.add([piece])
        if isinstance(piece, Thought) and (piece.signature or piece.sealed):
            events += self._close_item()
        return events

    def _say(self, kind: str, part: str, text: str) -> list[bytes]:
        events = self._open(kind)
        if part != self._part:
            events += self._close_part()
            self._part = part
            events.append(self._events.part_added(self._place(), _OPENED[part]))
        return [*events, self._events.said(self._place(), part, text)]

    def _think(self, thought: Thought) -> list[bytes]:
        if thought.sealed:
            return [*self._close_item(), *self._open("reasoning")]
        if thought.text:
            return self._say("reasoning", "summary_text", thought.text)
        return self._open("reasoning")

    def _call(self, number: int, called: ToolUse) -> list[bytes]:
        events = self._close_item()
        index = self._index()
        item = {**answering.call(called, self._source, index), "arguments": ""}
        self._calls[number] = {"item_id": item["id"], "output_index": index}
        return [*events, self._events.added(index, item)]

    def _open(self, kind: str) -> list[bytes]:
        """Go on with the item of a kind, or begin it after ending the one before."""
        if self._item is not None and self._item["type"] == kind:
            return []
        events = self._close_item()
        index = self._index()
        item = answering.opened(kind, self._source, index)
        self._item = {"type": kind, "item_id": item["id"], "output_index": index}
        self._part, self._parts = "", 0
        return [*events, self._events.added(index, item)]

    def _close_item(self) -> list[bytes]:
        if self._item is None:
            return []
        events = self._close_part()
        index = self._item["output_index"]
        self._item = None
        return [*events, self._events.done(index, self._output()[index])]

    def _close_part(self) -> list[bytes]:
        if self._item is None or not self._part:
            return []
        whole = self._output()[self._item["output_index"]]
        field = "summary" if self._part == "summary_text" else "content"
        events = self._events.part_done(self._place(), whole[field][self._parts])
        self._part, self._parts = "", self._parts + 1
        return events

    def _place(self) -> Body:
        """Return where the open part stands."""
        assert self._item is not None  # noqa: S101  (a part is of an open item)
        name = "summary_index" if self._item["type"] == "reasoning" else "content_index"
        at = {key: self._item[key] for key in ("item_id", "output_index")}
        return {**at, name: self._parts}

    def _output(self) -> list[Body]:
        choices = self._gathering.choices()
        parts: tuple[Part, ...] = choices[0].parts if choices else ()
        return answering.items(parts, self._source)

    def _index(self) -> int:
        self._next += 1
        return self._next - 1

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        return self._events.begin(answering.head(self._source, "in_progress"))
