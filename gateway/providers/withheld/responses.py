"""Streams of the responses API. Pure.

The texts of messages and of reasoning leave as they become certain. What repeats a text (the end of
a text, of a part, of an item, of the response) says what was said, or what may be seen of the whole
that the provider tells. Every other item is gathered, inspected whole and said at its end. Events
are numbered anew.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from gateway.exchange import Body
from gateway.providers import document, sse
from gateway.providers.responses.events import Events, item_events
from gateway.providers.responses.leaves import answer_view
from gateway.providers.withheld.inspector import Inspector
from gateway.providers.withheld.lane import Lane

_SPOKEN = ("message", "reasoning")
_TEXTS = {
    "response.output_text": "output_text",
    "response.refusal": "refusal",
    "response.reasoning_summary_text": "summary_text",
    "response.reasoning_text": "reasoning_text",
}
"""What the events of texts are called, and the types of their parts."""
_PARTS = ("response.content_part", "response.reasoning_summary_part")
_BEGUN = ("response.created", "response.in_progress", "response.queued")
_ITEM = "response.output_item"
_OVER = ("response.completed", "response.incomplete")
_AT = ("output_index", "content_index", "summary_index")


class ResponseWithheld:
    """A response's stream of which what is certain leaves."""

    def __init__(self, inspector: Inspector, limit: int) -> None:
        self._inspector = inspector
        self._parser = sse.Parser(limit)
        self._lane = Lane(inspector, inspector.manner)
        self._events = Events()
        self._spoken: set[int] = set()
        self._said: dict[tuple[object, ...], list[str]] = {}
        self._names: dict[object, object] = {}
        self._heard: set[tuple[object, ...]] = set()

    @property
    def held(self) -> int:
        """How many characters of text wait."""
        return self._lane.held

    @property
    def spoke(self) -> bool:
        """Whether anything that the model said has left."""
        return self._lane.spoke

    def feed(self, data: bytes) -> bytes:
        """Return what may leave."""
        for event in self._parser.feed(data):
            if event.data is None:
                self._lane.put(partial(_raw, event.raw))
            elif event.data != b"[DONE]":
                self._take(document.load_last(event.data))
        return self._lane.leave()

    def close(self, data: bytes) -> bytes:
        """Take in the last events; return all that is left."""
        begun = self.feed(data)
        self._lane.close_all()
        return begun + self._lane.leave()

    def _take(self, told: Any) -> None:
        kind = str(told.get("type"))
        subject, _, act = kind.rpartition(".")
        match told:
            case {"response": dict(response)} if kind in _BEGUN:
                self._put(kind, response=self._seen(response))
            case {"response": dict(response)} if kind in _OVER:
                self._lane.close_all()
                self._put(kind, response=self._seen(response))
            case {"output_index": int(index), "item": dict(item)} if subject == _ITEM:
                self._item(act, index, item)
            case {"output_index": int(index)} if index in self._spoken:
                self._more(subject, act, told)
            case {"delta": str(delta)}:
                self._inspector.weigh(len(delta))

    def _more(self, subject: str, act: str, told: Body) -> None:
        """Take in what is said of an item whose texts leave as they come."""
        if subject in _TEXTS:
            self._text(subject, act, told)
        elif subject in _PARTS and isinstance(told.get("part"), dict):
            self._part(subject, act, told)
        elif subject == "response.output_text.annotation":
            self._annotation(told)

    def _item(self, act: str, index: int, item: Body) -> None:
        """Begin or end an item; those that are no texts are said at their end."""
        if act == "added" and item.get("type") in _SPOKEN:
            self._spoken.add(index)
            self._put("response.output_item.added", output_index=index, item=self._seen_item(item))
        elif act == "done":
            for place in ("content", "summary"):
                self._lane.close((index, place))
            self._end(index, item)

    def _end(self, index: int, item: Body) -> None:
        if str(item.get("type")).endswith("_call"):
            self._inspector.called(str(item.get("name") or item["type"]))
        seen = self._seen_item(item)
        if index in self._spoken:
            self._put("response.output_item.done", output_index=index, item=seen)
        else:
            self._lane.put(lambda _: self._whole(index, seen), tells=True)

    def _whole(self, index: int, item: Body) -> bytes:
        return b"".join(item_events(self._events, index, item))

    def _text(self, subject: str, act: str, told: Body) -> None:
        """Say more of a text, or all of it once more."""
        name = subject.removeprefix("response.")
        at = self._at(told)
        key = tuple(at.items())
        if act == "delta":
            self._say(name, at, str(told.get("delta") or ""))
            return
        field = "refusal" if name == "refusal" else "text"
        if key not in self._heard:  # what came in no pieces comes whole
            self._say(name, at, str(told.get(field) or ""))
        more: Body = {"logprobs": []} if name == "output_text" else {}
        self._repeat(key, f"{name}.done", lambda text: {**at, field: text, **more})

    def _say(self, name: str, at: Body, text: str) -> None:
        key = tuple(at.items())
        self._heard.add(key)
        self._inspector.weigh(len(text))
        place = "summary" if "summary_index" in at else "content"
        more: Body = {"logprobs": []} if name == "output_text" else {}

        def make(said: str) -> bytes:
            return self._events.event(f"{name}.delta", **at, delta=said, **more)

        sink = self._said.setdefault(key, [])
        self._lane.say((at["output_index"], place), text, make, sink)

    def _part(self, subject: str, act: str, told: Body) -> None:
        """Begin or end a part of an item; what is no text is seen whole."""
        at, part = self._at(told), dict(told["part"])
        name = f"{subject.removeprefix('response.')}.{act}"
        if part.get("type") not in _TEXTS.values():
            seen = self._seen_part(part)
            self._lane.put(lambda _: self._events.event(name, **at, part=seen))
            return
        field = "refusal" if part["type"] == "refusal" else "text"
        seen = self._seen_part(
            {**part, field: "", **({"logprobs": []} if "logprobs" in part else {})}
        )
        if act == "added":
            self._lane.put(lambda _: self._events.event(name, **at, part=seen))
        else:
            self._repeat(
                tuple(at.items()), name, lambda text: {**at, "part": {**seen, field: text}}
            )

    def _repeat(self, key: tuple[object, ...], name: str, told: Callable[[str], Body]) -> None:
        """Say once more, when its turn comes, all that was said of a text by then."""
        said = self._said.setdefault(key, [])
        self._lane.put(lambda _: self._events.event(name, **told("".join(said))))

    def _annotation(self, told: Body) -> None:
        held = {"type": "output_text", "text": "", "annotations": [told.get("annotation")]}
        (annotation,) = self._seen_part(held)["annotations"]
        more = {**self._at(told), "annotation_index": _count(told.get("annotation_index"))}
        self._put("response.output_text.annotation.added", **more, annotation=annotation)

    def _at(self, told: Body) -> Body:
        """Return where a text stands."""
        name = told.get("item_id")
        if name not in self._names:
            self._names[name] = self._seen_item({"type": "message", "id": name})["id"]
        at = {"item_id": self._names[name]}
        return at | {name: told[name] for name in _AT if isinstance(told.get(name), int)}

    def _seen_part(self, part: Body) -> Body:
        (seen,) = self._seen_item({"type": "message", "content": [part]})["content"]
        return dict(seen)

    def _seen_item(self, item: Body) -> Body:
        (seen,) = self._seen({"output": [item]})["output"]
        return dict(seen)

    def _seen(self, response: Body) -> Body:
        return self._inspector.seen(response, answer_view)

    def _put(self, kind: str, **more: object) -> None:
        name = kind.removeprefix("response.")
        self._lane.put(lambda _: self._events.event(name, **more))


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _raw(data: bytes, _text: str) -> bytes:
    return data
