"""Between two chat dialects: a conversation one way, a reply in pieces the other. Pure."""

from gateway.exchange import Answer, Body, Call, Outgoing, Usage
from gateway.providers.dialect import (
    AnswerStream,
    Chat,
    Client,
    Passing,
    Reader,
    Source,
    Target,
    Writer,
)
from gateway.providers.fault import BadAnswer, TooLarge
from gateway.providers.reply import Finished, Gathering, Piece, Reply, pieces

SILENT = frozenset({"user", "metadata", "prompt_cache_key", "safety_identifier"})
"""What tells a provider who asks, or helps its cache, and changes no answer: left out unasked."""


_UNNAMED = Source("", "", 0)


class Translation:
    """A client's dialect in front of a provider's. `source` is what an answer says of itself where
    the provider says nothing."""

    def __init__(self, client: Client, chat: Chat, source: Source = _UNNAMED) -> None:
        self._client = client
        self._chat = chat
        self._unnamed = source

    def named(self, source: Source) -> "Translation":
        """Return the same for one call, whose answer has this name if the provider gives none."""
        return Translation(self._client, self._chat, source)

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body in the provider's dialect."""
        written = self._chat.written(self._client.conversation(judged), target)
        names = self._client.names
        left_out = [names.get(name, name) for name in written.left_out if name not in SILENT]
        beside = {
            names.get(name, name): names.get(other, other) for name, other in written.beside.items()
        }
        return Outgoing(self._chat.operation, written.body, tuple(left_out), beside=beside)

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer in the client's dialect."""
        reply = self._chat.reply(raw)
        unnamed = self._unnamed
        reply = reply._replace(id=reply.id or unnamed.id, model=reply.model or unnamed.model)
        body = self._client.body(reply, unnamed._replace(created_s=created_s))
        return self._client.answer(body, reply.usage, viewed=viewed)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""
        reader = self._chat.reader(passing.limit)
        return TranslatedStream(self._client, reader, passing, self._unnamed)

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as the client's stream."""
        reply = self._client.reply(answer.body)
        created_s = answer.body.get("created", answer.body.get("created_at", 0))
        created_s = created_s if isinstance(created_s, int) else 0
        source = Source(reply.id, reply.model, created_s, asked=answer.body)
        writer = self._client.writer(source, keep_usage=keep_usage)
        return writer.write(pieces(reply)) + writer.end(answer.usage)


class TranslatedStream:
    """One stream of a provider, read as pieces, written as the client's events."""

    def __init__(
        self, client: Client, reader: Reader, passing: Passing, unnamed: Source = _UNNAMED
    ) -> None:
        self._client = client
        self._reader = reader
        self._passing = passing
        self._unnamed = unnamed
        self._gathering = Gathering()
        self._writer: Writer | None = None
        self._finishes: list[str] = []
        self._bytes = 0

    @property
    def done(self) -> bool:
        """Whether the provider said that it said all."""
        return self._reader.done

    @property
    def failed(self) -> str | None:
        """What went wrong."""
        return self._reader.failed

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far."""
        return self._reader.usage

    @property
    def finish(self) -> str:
        """The reason that tells most of those told so far: the first that is not "stop"."""
        told = self._finishes
        return next((finish for finish in told if finish != "stop"), "stop" if told else "")

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return the client's events."""
        self._bytes += len(chunk)
        if self._passing.collect and self._bytes > self._passing.limit:
            raise TooLarge(f"the provider's stream is longer than {self._passing.limit} bytes")
        return self._take(self._reader.feed(chunk))

    def close(self) -> bytes:
        """Read what the end left open; return the last events where the provider said all."""
        told = self._take(self._reader.close())
        if self._passing.silent or self._reader.failed is not None or not self._is_whole():
            return told
        return told + self._written().end(self._reader.usage)

    def assemble(self) -> Answer:
        """Return the gathered answer in the client's dialect."""
        if self._gathering.empty:
            raise BadAnswer("the provider's stream holds no answer")
        usage = self._reader.usage
        source = self._source()
        reply = Reply(source.id, source.model, self._gathering.choices(), usage)
        body = self._client.body(reply, source)
        return self._client.answer(body, usage, viewed=True)

    def _take(self, told: list[Piece]) -> bytes:
        self._finishes += [piece.reason for piece in told if isinstance(piece, Finished)]
        if self._passing.collect:
            self._gathering.add(told)
        if self._passing.silent:
            return b""
        return self._written().write(told) if told else b""

    def _written(self) -> Writer:
        """Return the writer: made with the first piece, which comes after its source's name."""
        if self._writer is None:
            self._writer = self._client.writer(self._source(), keep_usage=self._passing.keep_usage)
        return self._writer

    def _source(self) -> Source:
        """Return what the answer says of itself: what the provider told, where it told it."""
        return self._unnamed._replace(
            id=self._reader.id or self._unnamed.id,
            model=self._reader.model or self._unnamed.model,
            created_s=self._passing.created_s,
        )

    def _is_whole(self) -> bool:
        return self.done or bool(self._finishes and self._reader.usage is not None)
