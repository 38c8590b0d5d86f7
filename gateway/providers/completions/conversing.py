"""The client's side of the completions API, for providers that only chat. Pure.

The prompt is what the user says; of the answer, only the words are told.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import orjson

from gateway.exchange import Answer, Body, Usage
from gateway.providers import sse, typed
from gateway.providers.completions import answers
from gateway.providers.conversation import Conversation, Text, Turn
from gateway.providers.dialect import Source, Writer
from gateway.providers.fault import BadRequest
from gateway.providers.openai.answering import DONE_EVENT, usage_body
from gateway.providers.openai.asking import asks, stop_sequences
from gateway.providers.reply import Finished, Piece, Refused, Reply, Said
from gateway.providers.walk import words

_READ = words(
    "model prompt stream stream_options n max_tokens temperature top_p top_k seed stop "
    "frequency_penalty presence_penalty user"
)
_MOST = (1 << 31) - 1


class CompletionsClient:
    """A prompt is read as a conversation, a reply is written as a completion."""

    names: Mapping[str, str] = MappingProxyType({})

    def conversation(self, body: Body) -> Conversation:
        """Return what a parsed body asks for; BadRequest for anything but one text."""
        prompt = body["prompt"]
        one = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        if not isinstance(one, str):
            raise BadRequest("prompt must be one text for this provider", "prompt")
        return Conversation(
            turns=(Turn("user", (Text(one),)),),
            n=body.get("n") or 1,
            temperature=typed.number(body, "temperature"),
            top_p=typed.number(body, "top_p"),
            top_k=typed.count(body, "top_k", _MOST),
            seed=typed.whole(body, "seed"),
            frequency_penalty=typed.number(body, "frequency_penalty"),
            presence_penalty=typed.number(body, "presence_penalty"),
            stop=stop_sequences(body.get("stop")),
            user=typed.text(body, "user"),
            other=tuple(name for name in body if name not in _READ and asks(name, body[name])),
        )

    def body(self, reply: Reply, source: Source) -> Body:
        """Return a reply as a completion."""
        return answers.completion(reply, source.created_s)

    def answer(self, body: Body, usage: Usage | None, *, viewed: bool) -> Answer:
        """Return a completion with what policy needs lifted out."""
        return answers.answer(body, usage, viewed=viewed)

    def reply(self, body: Body) -> Reply:
        """Return what a completion says."""
        return answers.completion_reply(body)

    def writer(self, source: Source, *, keep_usage: bool) -> Writer:
        """Return the writer of one stream."""
        return CompletionWriter(source, keep_usage=keep_usage)


class CompletionWriter:
    """Writes pieces as chunks; `[DONE]` ends them."""

    def __init__(self, source: Source, *, keep_usage: bool) -> None:
        self._head = answers.head(source)
        self._keep_usage = keep_usage

    def write(self, told: Iterable[Piece]) -> bytes:
        """Return the chunks of these pieces."""
        events = []
        for piece in told:
            match piece:
                case Said(index, text) | Refused(index, text):
                    events.append(self._event([answers.choice(index, text, "")]))
                case Finished(index, reason):
                    events.append(self._event([answers.choice(index, "", reason)]))
        return b"".join(events)

    def end(self, usage: Usage | None) -> bytes:
        """Return the chunk of the usage, where the client asked for it, and the end mark."""
        told = b""
        if self._keep_usage and usage is not None:
            told = self._event([], usage=usage_body(usage))
        return told + DONE_EVENT

    def _event(self, choices: list[Body], **more: object) -> bytes:
        return sse.encode(orjson.dumps({**self._head, "choices": choices, **more}))
