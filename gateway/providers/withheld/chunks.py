"""Streams of chunks, as the chat and the completions APIs of OpenAI have them. Pure.

Content, a refusal and reasoning leave as they become certain, each choice by itself. All else that
a choice says (calls of tools, and what is not known here) is gathered, inspected whole and said
before its end, each call in one delta. `logprobs` spell the text once more: they are left out, and
who asks for them gets a stream that is gathered (`deliver`).
"""

from typing import Any

import orjson

from gateway.exchange import Body
from gateway.providers import document, sse
from gateway.providers.openai import vocabulary
from gateway.providers.openai.gather import Gathered
from gateway.providers.openai.leaves import answer_view
from gateway.providers.withheld.inspector import Inspector
from gateway.providers.withheld.lane import Lane, Make, filling

_DONE = b"[DONE]"
_TEXTS = ("reasoning_content", "reasoning", "refusal", "content")
_FINISHES = vocabulary.VALUES["finish_reason"]
_OWN = frozenset({"index", "delta", "text", "finish_reason", "logprobs"})


class ChatWithheld:
    """A chat stream of which what is certain leaves."""

    def __init__(self, inspector: Inspector, limit: int) -> None:
        self._inspector = inspector
        self._parser = sse.Parser(limit)
        self._lanes: dict[int, Lane] = {}
        self._gathered: dict[int, Gathered] = {}
        self._heads: tuple[Body, Body] = ({}, {})
        self._makes: dict[tuple[int, str], Make] = {}
        self._last: list[bytes] = []

    @property
    def held(self) -> int:
        """How many characters of text wait."""
        total = 0
        for lane in self._lanes.values():
            total += lane.held
        return total

    @property
    def spoke(self) -> bool:
        """Whether anything that the model said has left."""
        return any(lane.spoke for lane in self._lanes.values())

    def feed(self, data: bytes) -> bytes:
        """Return what may leave."""
        return b"".join([self._read(event) for event in self._parser.feed(data)])

    def close(self, data: bytes) -> bytes:
        """Take in the last events; return all that is left."""
        return self.feed(data) + self._end()

    def _read(self, event: sse.Event) -> bytes:
        if event.data is None:
            return event.raw
        if event.data == _DONE:
            self._last.append(event.raw)
            return self._end()
        head: Body = document.load_last(event.data)
        choices = head.pop("choices", None)
        aside = None if choices else {**head, "choices": []}
        head.pop("usage", None)
        head.pop("obfuscation", None)
        seen = self._head(head)
        for choice in choices or ():
            self._take(seen, choice)
        out = [lane.leave() for lane in self._lanes.values()]
        if aside is not None:
            told = self._inspector.seen(aside, answer_view)
            (self._last if aside.get("usage") else out).append(sse.encode(orjson.dumps(told)))
        return b"".join(out)

    def _head(self, head: Body) -> Body:
        """Return what may be seen of what a chunk says beside its choices."""
        if head != self._heads[0]:
            seen = self._inspector.seen({**head, "choices": []}, answer_view)
            self._heads = head, {name: seen[name] for name in seen if name != "choices"}
            self._makes.clear()
        return self._heads[1]

    def _take(self, head: Body, choice: Body) -> None:
        index = choice.get("index", 0)
        lane = self._lane(index)
        more, finish = self._more(index, choice)
        self._texts(lane, head, {"index": index, **more}, choice)
        if finish:
            self._finish(lane, head, index)
            lane.put(_make(head, {**self._empty(index), **more, "finish_reason": finish}))

    def _more(self, index: int, choice: Body) -> tuple[Body, str | None]:
        """Return what may be seen of what a choice says beside its message, and why it ended."""
        finish = choice.get("finish_reason")
        if choice.keys() <= _OWN and (finish is None or finish in _FINISHES):
            return {}, finish
        more = {name: value for name, value in choice.items() if name not in _OWN}
        held = {"index": index, "finish_reason": finish, "message": {}, **more}
        (seen,) = self._inspector.seen({"choices": [held]}, answer_view)["choices"]
        own = ("index", "message", "finish_reason")
        return {name: seen[name] for name in seen if name not in own}, seen["finish_reason"]

    def _texts(self, lane: Lane, head: Body, told: Body, choice: Body) -> None:
        """Say what a delta adds to the texts of its choice, and gather the rest of it."""
        delta = choice.get("delta") or {}
        texts = [name for name in _TEXTS if name in delta and _is_text(delta[name])]
        if len(texts) < len(delta) or len(told) > 1:
            others = {name: value for name, value in delta.items() if name not in texts}
            self._others(lane, head, told, others, spoken=bool(texts))
        for name in texts:
            self._say(lane, name, delta[name], self._field(head, told, name))

    def _others(self, lane: Lane, head: Body, told: Body, others: Body, *, spoken: bool) -> None:
        """Take in what a delta says beside its texts."""
        first = {name: value for name, value in others.items() if _is_plain(name, value)}
        rest = {name: value for name, value in others.items() if name not in first}
        if rest:
            gathered = self._gathered.setdefault(told["index"], Gathered())
            gathered.add({"choices": [{"index": 0, "delta": rest}]})
        if first or (len(told) > 1 and not spoken):
            lane.put(_make(head, {**told, "delta": first, "finish_reason": None}))

    def _field(self, head: Body, told: Body, name: str) -> Make:
        """Return what makes the events of a text; most are alike but for it."""
        key = told["index"], name
        make = self._makes.get(key)
        if make is None or len(told) > 1:
            make = filling(_event(head, self._empty_text(told, name)))
            if len(told) == 1:
                self._makes[key] = make
        return make

    def _empty_text(self, told: Body, name: str) -> Body:
        return {**told, "delta": {name: ""}, "finish_reason": None}

    def _say(self, lane: Lane, name: str, text: str, make: Make) -> None:
        self._inspector.weigh(len(text))
        lane.say(name, text, make)

    def _finish(self, lane: Lane, head: Body, index: int) -> None:
        """End the texts of a choice, and say what was gathered of it."""
        lane.close_all()
        gathered = self._gathered.pop(index, None)
        if gathered is None:
            return
        (choice,) = gathered.body({})["choices"]
        message = {name: value for name, value in choice["message"].items() if value is not None}
        self._called(message)
        self._inspector.weigh(len(orjson.dumps(message)))
        held = {"index": index, "message": message}
        (seen,) = self._inspector.seen({"choices": [held]}, answer_view)["choices"]
        for delta in _deltas(seen["message"]):
            told = {"index": index, "delta": delta, "finish_reason": None}
            lane.put(_make(head, told), tells=True)

    def _called(self, message: Body) -> None:
        calls = [*(message.get("tool_calls") or ()), {"function": message.get("function_call")}]
        for call in calls:
            function = call.get("function") or call.get("custom")
            if isinstance(function, dict):
                self._inspector.called(str(function.get("name") or ""))

    def _empty(self, index: int) -> Body:
        return {"index": index, "delta": {}}

    def _end(self) -> bytes:
        for index, lane in self._lanes.items():
            self._finish(lane, self._heads[1], index)
        told = [*(lane.leave() for lane in self._lanes.values()), *self._last]
        self._last.clear()
        return b"".join(told)

    def _lane(self, index: int) -> Lane:
        if index not in self._lanes:
            self._lanes[index] = Lane(self._inspector, self._inspector.manner)
        return self._lanes[index]


class CompletionWithheld(ChatWithheld):
    """The same of the completions API, whose choices are texts."""

    def _texts(self, lane: Lane, head: Body, told: Body, choice: Body) -> None:
        text = choice.get("text")
        if isinstance(text, str) and text:
            self._say(lane, "text", text, self._field(head, told, "text"))

    def _empty_text(self, told: Body, name: str) -> Body:
        return {**told, name: "", "logprobs": None, "finish_reason": None}

    def _empty(self, index: int) -> Body:
        return {"index": index, "text": "", "logprobs": None}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_plain(name: str, value: Any) -> bool:
    """Tell whether a field of a delta says nothing that anybody must look at."""
    return value in (None, "", []) or (name == "role" and value == "assistant")


def _event(head: Body, choice: Body) -> bytes:
    return sse.encode(orjson.dumps({**head, "choices": [choice]}))


def _make(head: Body, choice: Body) -> Make:
    return lambda _: _event(head, choice)


def _deltas(message: Body) -> list[Body]:
    """Return the deltas that say a gathered message, each call of a tool by itself."""
    rest = {name: message[name] for name in message if name not in ("role", "tool_calls")}
    calls = message.get("tool_calls")
    told = [
        {"tool_calls": [{"index": position, **call}]}
        for position, call in enumerate(calls if isinstance(calls, list) else ())
    ]
    return [*([rest] if rest else []), *told]
