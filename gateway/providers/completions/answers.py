"""The answers of the completions API: what policy needs of them, and what they say. Pure."""

from typing import Any

from gateway.exchange import Answer, Body, Usage
from gateway.providers.conversation import Declined, Text
from gateway.providers.dialect import Source
from gateway.providers.fault import BadAnswer
from gateway.providers.openai import leaves
from gateway.providers.openai.answering import usage_body
from gateway.providers.openai.upstream import first_finish
from gateway.providers.openai.usage import merge_usage, read_usage
from gateway.providers.reply import Reply, Spoken
from gateway.providers.unstreamed import object_of
from gateway.providers.walk import shown

_FINISHES = frozenset({"stop", "length", "content_filter"})


def read(raw: bytes, *, viewed: bool) -> Answer:
    """Return a provider's whole answer; BadAnswer where it is none."""
    body = object_of(raw)
    seen: dict[str, Any] = {}
    merge_usage(seen, body.get("usage"))
    wrote = any(choice["text"] for choice in choices(body))
    return answer(body, read_usage(seen, wrote=wrote), viewed=viewed)


def answer(body: Body, usage: Usage | None, *, viewed: bool = True) -> Answer:
    """Return an answer with what policy needs of it lifted out; BadAnswer for a malformed one."""
    found = choices(body)
    finishes = [
        choice["finish_reason"] for choice in found if isinstance(choice.get("finish_reason"), str)
    ]
    view = shown(leaves.answer_view, body, viewed=viewed)
    size = sum(len(choice["text"].encode()) for choice in found) if viewed else 0
    return Answer(body, usage, first_finish(finishes), (), view, size)


def choices(body: Body) -> list[Body]:
    """Return the choices, each with a text; BadAnswer where there are none."""
    found = body.get("choices")
    if not isinstance(found, list) or not all(
        isinstance(choice, dict) and isinstance(choice.get("text"), str) for choice in found
    ):
        raise BadAnswer("the provider's answer holds no choices with a text")
    return found


def completion(reply: Reply, created_s: int) -> Body:
    """Return a reply as a whole answer: what was thought or called has no place in it."""
    source = Source(reply.id, reply.model, created_s)
    told = [
        choice(index, words(spoken), spoken.finish) for index, spoken in enumerate(reply.choices)
    ]
    usage = {} if reply.usage is None else {"usage": usage_body(reply.usage)}
    return {**head(source), "choices": told, **usage}


def head(source: Source) -> Body:
    """Return what an answer, and each event of its stream, says of where it is from."""
    return {
        "id": source.id,
        "object": "text_completion",
        "created": source.created_s,
        "model": source.model,
    }


def choice(index: int, text: str, finish: str) -> Body:
    """Return one choice, or a piece of it where it has not finished."""
    reason = finish if finish in _FINISHES else "stop" if finish else None
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def words(spoken: Spoken) -> str:
    """Return the text of a choice, that of a refusal too."""
    return "".join(part.text for part in spoken.parts if isinstance(part, (Text, Declined)))


def completion_reply(body: Body) -> Reply:
    """Return what a whole answer says."""
    spoken = [
        Spoken((Text(one["text"]),) if one["text"] else (), one.get("finish_reason") or "")
        for one in choices(body)
    ]
    usage: dict[str, Any] = body.get("usage") or {}
    return Reply(
        str(body.get("id") or ""),
        str(body.get("model") or ""),
        tuple(spoken),
        read_usage(usage, wrote=any(one.parts for one in spoken)),
    )
