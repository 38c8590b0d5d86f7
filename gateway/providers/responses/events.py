"""The events of a response's stream, numbered from 0, each item in the order of the API. Pure."""

import orjson

from gateway.exchange import Body
from gateway.providers import sse
from gateway.providers.responses import inside


class Events:
    """Numbers the events of one stream."""

    def __init__(self) -> None:
        self._number = 0

    def event(self, kind: str, **more: object) -> bytes:
        """Return the next event."""
        name = f"response.{kind}"
        data = {"type": name, "sequence_number": self._number, **more}
        self._number += 1
        return sse.encode(orjson.dumps(data), name.encode())

    def begin(self, response: Body) -> list[bytes]:
        """Return how a stream begins: with a response that is in progress."""
        return [
            self.event("created", response=response),
            self.event("in_progress", response=response),
        ]

    def end(self, response: Body) -> bytes:
        """Return the last event, which holds the whole response."""
        kind = "incomplete" if response.get("status") == "incomplete" else "completed"
        return self.event(kind, response=response)

    def added(self, index: int, item: Body) -> bytes:
        """Return the begin of an item."""
        return self.event("output_item.added", output_index=index, item=item)

    def done(self, index: int, item: Body) -> bytes:
        """Return the end of an item."""
        return self.event("output_item.done", output_index=index, item=item)

    def part_added(self, at: Body, part: Body) -> bytes:
        """Return the begin of a part, which is empty."""
        kind = "reasoning_summary_part" if "summary_index" in at else "content_part"
        return self.event(f"{kind}.added", **at, part=part)

    def part_done(self, at: Body, part: Body) -> list[bytes]:
        """Return the end of a part: its whole text, and itself."""
        told = {"refusal": part["refusal"]} if part["type"] == "refusal" else {"text": part["text"]}
        more = {"logprobs": part.get("logprobs") or []} if part["type"] == "output_text" else {}
        kind = "reasoning_summary_part" if "summary_index" in at else "content_part"
        return [
            self.event(f"{_TEXTS[part['type']]}.done", **at, **told, **more),
            self.event(f"{kind}.done", **at, part=part),
        ]

    def said(self, at: Body, kind: str, text: str, logprobs: object = None) -> bytes:
        """Return more of the text of a part of this type."""
        more = {"logprobs": logprobs or []} if kind == "output_text" else {}
        return self.event(f"{_TEXTS[kind]}.delta", **at, delta=text, **more)

    def argued(self, at: Body, text: str, *, field: str = "function_call_arguments") -> bytes:
        """Return more of the arguments of a call."""
        return self.event(f"{field}.delta", **at, delta=text)

    def arguments_done(self, at: Body, item: Body) -> bytes:
        """Return the whole arguments of a call."""
        if item["type"] == "custom_tool_call":
            return self.event("custom_tool_call_input.done", **at, input=item["input"])
        told = {"name": item["name"], "arguments": item["arguments"]}
        return self.event("function_call_arguments.done", **at, **told)


_TEXTS = {
    "output_text": "output_text",
    "refusal": "refusal",
    "summary_text": "reasoning_summary_text",
    "reasoning_text": "reasoning_text",
}
"""What the events of a part's text are called, by its type."""


def render(response: Body) -> bytes:
    """Return a whole response as the events of a stream, each text in one delta."""
    events = Events()
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    told = events.begin({**begun, "incomplete_details": None})
    for index, item in enumerate(response["output"]):
        told += item_events(events, index, item)
    return b"".join([*told, events.end(response)])


def item_events(events: Events, index: int, item: Body) -> list[bytes]:
    """Return the events of one whole item, from its begin to its end."""
    at = {"item_id": item.get("id", ""), "output_index": index}
    field, event = _CALLS.get(inside.kind(item), ("", ""))
    empty: Body = {name: [] for name in ("content", "summary") if item.get(name)}
    empty |= {field: ""} if field else {}
    told = [events.added(index, {**item, "status": "in_progress", **empty})]
    if field:
        told += [events.argued(at, item[field], field=event), events.arguments_done(at, item)]
    for name, place in (("summary", "summary_index"), ("content", "content_index")):
        parts = item.get(name)
        for position, part in enumerate(parts if isinstance(parts, list) else ()):
            told += _part(events, {**at, place: position}, part)
    return [*told, events.done(index, item)]


def _part(events: Events, at: Body, part: Body) -> list[bytes]:
    kind = part.get("type")
    if kind not in _TEXTS:  # of a type that no event of a text is known for: it comes whole
        return [events.part_added(at, part), events.event("content_part.done", **at, part=part)]
    field = "refusal" if kind == "refusal" else "text"
    empty: Body = {name: [] for name in ("annotations", "logprobs") if name in part}
    empty = {**part, field: "", **empty}
    told = [events.part_added(at, empty), events.said(at, kind, part[field], part.get("logprobs"))]
    for number, annotation in enumerate(part.get("annotations") or ()):
        more = {"annotation_index": number, "annotation": annotation}
        told.append(events.event("output_text.annotation.added", **at, **more))
    return [*told, *events.part_done(at, part)]


_CALLS = {
    "function_call": ("arguments", "function_call_arguments"),
    "custom_tool_call": ("input", "custom_tool_call_input"),
}
"""The field of a call that comes in pieces, and what their events are called."""
