"""What the mock provider says: behaviours by name, and answers in the form of OpenAI."""

import random
import zlib
from dataclasses import dataclass
from typing import Any

import orjson

CREATED = 1767225600
DONE = b"data: [DONE]\n\n"
MODES = (
    "answer",
    "garbage",
    "cut",
    "hang",
    "reset",
    "resethead",
    "resetbody",
    "stall",
    "halfevent",
    "hugeevent",
    "errorbody",
    "wrongtype",
    "resetmidhead",
    "resetend",
    "badgzip",
    "crlf",
    "cr",
    "bom",
    "pings",
    "nodone",
    "gzip",
    "deflate",
    "br",
    "zstd",
)
MANNERS = frozenset(MODES[MODES.index("crlf") :]) | {"answer", "resetend"}
"""What is unusual, and no fault: the answer is whole."""

PING = b": still there\n\nevent: ping\ndata: {}\n\n"
HUGE = "x" * (18 << 20)
USAGES = ("end", "absent", "zero", "first", "middle", "twice", "finish", "every", "after-done")


@dataclass(frozen=True)
class Behaviour:
    """How one request is answered; times in milliseconds.

    `tokens` is how much is produced where no cap is lower; with `seed`, a random number up to the
    cap instead. `code` is that of a refusal, `lasts` the seconds of a token that is given. With
    `tools`, a model of a cloud calls the first tool that it may. `billed` false bills nothing.
    `times` is for how many requests it holds, 0 for all. `retry_after` -1 leaves the header out of
    a 429; `remaining` is told as what is left of a limit.
    """

    mode: str = "answer"
    status: int = 200
    retry_after: int | None = None
    message: str = "The mock provider refuses."
    latency: int = 0
    pace: int = 0
    usage: str = "end"
    content: str | None = None
    echo: bool = False
    tokens: int = 16
    seed: int | None = None
    pieces: int = 0
    billed: bool = True
    times: int = 0
    remaining: int | None = None
    code: str = "mock"
    lasts: int = 3599
    tools: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.usage not in USAGES:
            raise ValueError(f"mode is one of {MODES}, usage one of {USAGES}")


def named(model: str) -> Behaviour:
    """Return the behaviour that a model's name asks for: its words after `mock`, in any order.

    `echo`, a mode, or a field with its value: `mock-echo-pace-5-usage-absent`, `mock-status-500`.
    """
    words = model.split("-")
    found: dict[str, Any] = {}
    position = 1 if words[0] == "mock" else len(words)
    while position < len(words):
        word = words[position]
        if word in MODES:
            found["mode"] = word
        elif word == "echo":
            found["echo"] = True
        elif word == "usage" and words[position + 1 : position + 3] == ["after", "done"]:
            found["usage"], position = "after-done", position + 2
        elif word == "usage":
            found["usage"], position = words[position + 1], position + 1
        else:
            found[word], position = int(words[position + 1]), position + 1
        position += 1
    return Behaviour(**found)


@dataclass(frozen=True)
class Production:
    """What a request brings forth: the words of each choice, and what it costs."""

    choices: tuple[tuple[str, ...], ...]
    finish: str
    input: int

    @property
    def usage(self) -> dict[str, int]:
        """What is billed."""
        output = sum(len(words) for words in self.choices)
        return {
            "prompt_tokens": self.input,
            "completion_tokens": output,
            "total_tokens": self.input + output,
        }


def produce(body: dict[str, Any], behaviour: Behaviour, size: int) -> Production:
    """Return what a chat request brings forth; a word is a token, a byte at least one word."""
    cap = body.get("max_completion_tokens") or body.get("max_tokens")
    if behaviour.echo:
        said = [one["content"] for one in body["messages"] if one["role"] == "user"][-1]
        words = split(said if isinstance(said, str) else "".join(part["text"] for part in said))
    elif behaviour.content is not None:
        words = split(behaviour.content)
    else:
        count = behaviour.tokens
        if behaviour.seed is not None:
            draw = random.Random(zlib.crc32(orjson.dumps([behaviour.seed, body])))
            count = draw.randint(1, cap or 64)
        words = tuple(f"word{number} " for number in range(count))
    whole = words if cap is None else words[:cap]
    finish = "stop" if len(whole) == len(words) else "length"
    return Production((whole,) * (body.get("n") or 1), finish, max(1, size // 4))


def split(text: str) -> tuple[str, ...]:
    """Return a text in words, each with the blank behind it."""
    parts = text.split(" ")
    return tuple(f"{part} " for part in parts[:-1]) + ((parts[-1],) if parts[-1] else ())


def events(model: str, production: Production, where: str, wanted: bool) -> list[bytes]:
    """Return the events of a stream, with usage, if it was wanted, where it is to stand."""
    usage = {"usage": production.usage}
    if where == "zero":
        usage = {"usage": dict.fromkeys(production.usage, 0)}
    told = where if wanted else "absent"
    found: list[bytes] = []

    def add(choices: list[Any], **more: Any) -> None:
        head = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": CREATED}
        found.append(_event({**head, "model": model, "choices": choices, **more}))

    for index, words in enumerate(production.choices):
        add([_delta(index, {"role": "assistant", "content": ""})])
        for position, word in enumerate(words):
            now = told == "every" or (told == "first" and not position + index)
            now = now or (told == "middle" and position == len(words) // 2)
            add([_delta(index, {"content": word})], **(usage if now else {}))
        add([_delta(index, {}, production.finish)], **(usage if told == "finish" else {}))
    for _ in range({"end": 1, "zero": 1, "twice": 2}.get(told, 0)):
        add([], **usage)
    found.append(DONE)
    if told == "after-done":
        add([], **usage)
    return found


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _delta(index: int, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def completion(model: str, production: Production, where: str) -> dict[str, Any]:
    """Return the answer of a chat in one piece."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": "".join(words), "refusal": None},
            "logprobs": None,
            "finish_reason": production.finish,
        }
        for index, words in enumerate(production.choices)
    ]
    head = {"id": "chatcmpl-mock", "object": "chat.completion", "created": CREATED}
    usage = {"absent": None, "zero": dict.fromkeys(production.usage, 0)}
    return {**head, "model": model, "choices": choices, "usage": usage.get(where, production.usage)}


def error(message: str, status: int, code: str = "mock") -> bytes:
    """Return an error as OpenAI writes it."""
    kinds = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}
    kind = kinds.get(status, "invalid_request_error")
    told = {"message": message, "type": kind, "param": None, "code": code}
    return orjson.dumps({"error": told})
