"""The chunks of a chat stream gathered into the message that they spell. Pure."""

from typing import Any, TypeGuard

from gateway.exchange import Body
from gateway.providers.openai.client import CHOICES_MAX

_ONCE = frozenset({"role", "id", "type", "name"})
"""Fields told whole, by some providers with every chunk; every other string comes in pieces."""

_NOT_GATHERED = frozenset({"choices", "usage", "object", "obfuscation"})


class _Pieces(list[str]):
    """A string in the making: joined once, since joining at each chunk would be quadratic."""


class Gathered:
    """What the chunks of one stream have said so far."""

    def __init__(self) -> None:
        self._head: Body = {}
        self._choices: dict[int, Body] = {}
        self._calls: dict[tuple[int, object], Body] = {}

    def add(self, chunk: Body) -> None:
        """Take in one chunk, which `well_formed` has found to be one."""
        for name, value in chunk.items():
            if name not in _NOT_GATHERED and (value is not None or name not in self._head):
                self._head[name] = value
        for told in chunk.get("choices") or ():
            index = told.get("index", 0)
            choice = self._choices.setdefault(index, {"index": index, "message": {}})
            rest = {name: told[name] for name in told if name not in {"index", "delta", "usage"}}
            finish = rest.pop("finish_reason", None)
            choice["finish_reason"] = finish or choice.get("finish_reason")
            _merge(choice, rest)
            delta = dict(told.get("delta") or {})
            self._add_calls(index, choice["message"], delta.pop("tool_calls", None) or [])
            _merge(choice["message"], delta)

    def body(self, usage: Body) -> Body:
        """Return the answer as if it had never been streamed; its choices in their order."""
        choices = []
        for index in sorted(self._choices):
            choice = _settled(self._choices[index])
            choice["message"] = {"role": "assistant", "content": None, **choice["message"]}
            choices.append(choice)
        body = {**self._head, "object": "chat.completion", "choices": choices}
        return {**body, "usage": usage} if usage else body

    def _add_calls(self, choice: int, message: Body, calls: list[Body]) -> None:
        """Add pieces of tool calls, each to its own.

        A call is known by its index; one that comes under a used index with another id is new.
        """
        for told in calls:
            key = (choice, told.get("index", 0))
            call = self._calls.get(key)
            if call is None or (told.get("id") and call.get("id") not in (None, "", told["id"])):
                call = self._calls[key] = {}
                message.setdefault("tool_calls", []).append(call)
            _merge(call, {name: told[name] for name in told if name != "index"})


def well_formed(choices: object) -> bool:
    """Tell whether these are the choices of a chunk, as far as anything here relies on it."""
    return isinstance(choices, list) and all(map(_well_formed, choices))


def _well_formed(choice: object) -> bool:
    if not isinstance(choice, dict):
        return False
    index, delta = choice.get("index", 0), choice.get("delta")
    return (
        isinstance(index, int)
        and 0 <= index < CHOICES_MAX
        and isinstance(choice.get("finish_reason"), str | None)
        and isinstance(delta, dict | None)
        and (not delta or _well_formed_calls(delta.get("tool_calls") or []))
    )


def _well_formed_calls(calls: object) -> bool:
    return _all_objects(calls) and all(isinstance(call.get("index"), int | None) for call in calls)


def _all_objects(value: object) -> TypeGuard[list[Body]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _merge(into: Body, told: Body) -> None:
    """Add one delta: strings and lists go on, objects are merged, of the rest the last counts."""
    for name, value in told.items():
        there = into.get(name)
        if value is None:
            into.setdefault(name, None)
        elif isinstance(value, dict) and isinstance(there, dict | None):
            into[name] = there or {}
            _merge(into[name], value)
        elif isinstance(value, (str, list)):
            into[name] = _joined(name, there, value)
        else:
            into[name] = value


def _joined(name: str, there: object, value: str | list[Any]) -> object:
    if name in _ONCE:
        return there or value
    if isinstance(value, str) and isinstance(there, _Pieces | None):
        pieces = _Pieces() if there is None else there
        pieces.append(value)
        return pieces
    more = [value] if isinstance(value, str) else value
    if isinstance(there, list) and not isinstance(there, _Pieces):
        there.extend(more)
        return there
    return [] + ([] if there is None else [_settled(there)]) + more


def _settled(value: Any) -> Any:
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _settled(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_settled(item) for item in value]
    return value
