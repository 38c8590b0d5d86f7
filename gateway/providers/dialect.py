"""What each dialect must be able to do, on the client's side and on the provider's. Pure.

A call meets two dialects: the client's, in which it is judged and answered, and the provider's, in
which it travels. `Interpreter` stands between them; where both are one, nothing is translated.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, UpstreamRequest, Usage
from gateway.providers.conversation import Conversation, Written
from gateway.providers.reply import Piece, Reply


class Target(NamedTuple):
    """Where a call goes: the deployment's model at a base URL, with the cap on each choice."""

    model: str
    base_url: str
    cap: int
    stream: bool


class Errand(NamedTuple):
    """What a request to a provider needs beside its body."""

    base_url: str
    model: str
    secret: str | None
    stream: bool
    request_id: str
    now_s: float


class AnswerStream(Protocol):
    """A provider's stream on its way to the client.

    Gathering, `feed` and `close` return nothing and `assemble` makes the answer.
    """

    @property
    def done(self) -> bool:
        """Whether the provider said that it said all."""

    @property
    def failed(self) -> str | None:
        """What went wrong; from then on nothing passes."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far; None while it is unknown."""

    @property
    def finish(self) -> str:
        """The reason that tells most of those told so far, or ""."""

    def feed(self, chunk: bytes) -> bytes:
        """Read a chunk of the provider's bytes; return those that go to the client."""

    def close(self) -> bytes:
        """Read what the end of the bytes left open; return what goes to the client."""

    def assemble(self) -> Answer:
        """Return the gathered answer; BadAnswer where the provider told none."""


class Passing(NamedTuple):
    """How an answer is read: `collect` gathers a stream, `limit` bounds it in bytes, `viewed` says
    that rules will look at it, `created_s` is the instant that a translated answer bears. With
    `passes` a stream that is gathered passes all the same: what leaves of it is seen to elsewhere.
    """

    collect: bool
    limit: int
    keep_usage: bool
    created_s: int
    passes: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing of a stream may leave before it has ended."""
        return self.collect and not self.passes


class Interpreter(Protocol):
    """Stands between one endpoint of a client's dialect and one dialect of providers."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return what goes upstream for a judged body; BadRequest where it cannot be said there."""

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer in the client's dialect; BadAnswer where it is none."""

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of one stream."""

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as the client's stream."""


class Writer(Protocol):
    """Writes pieces as the events of a client's stream."""

    def write(self, told: Iterable[Piece]) -> bytes:
        """Return the events of these pieces."""

    def end(self, usage: Usage | None) -> bytes:
        """Return the end of the stream."""


class Source(NamedTuple):
    """What a translated answer says of where it is from, and of what was `asked` for: the client's
    body. `told` are the headers that came with the provider's answer."""

    id: str
    model: str
    created_s: int
    asked: Mapping[str, Any] = {}
    told: Mapping[str, str] = {}


class Client(Protocol):
    """The client's side of a chat dialect: requests are read, answers are written."""

    @property
    def names(self) -> Mapping[str, str]:
        """What it calls the fields of a conversation, where it is another name."""

    def conversation(self, body: Body) -> Conversation:
        """Return what a parsed body asks for; BadRequest for what no other dialect can take."""

    def body(self, reply: Reply, source: Source) -> Body:
        """Return a reply as the client's answer; `source` has the rest of what it says."""

    def answer(self, body: Body, usage: Usage | None, *, viewed: bool) -> Answer:
        """Return one of its answers with what policy needs lifted out."""

    def reply(self, body: Body) -> Reply:
        """Return what one of its own answers says."""

    def writer(self, source: Source, *, keep_usage: bool) -> Writer:
        """Return the writer of one stream."""


class Reader(Protocol):
    """Reads one stream of a provider. What it says of itself is known with the first piece."""

    @property
    def done(self) -> bool:
        """Whether the provider said that it said all."""

    @property
    def failed(self) -> str | None:
        """What went wrong; from then on nothing is read but usage."""

    @property
    def id(self) -> str:
        """The answer's name at the provider."""

    @property
    def model(self) -> str:
        """The model that answers, as the provider calls it."""

    @property
    def usage(self) -> Usage | None:
        """What the provider has told so far; None while it is unknown."""

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return what a chunk of bytes tells; TooLarge where an event passes the limit."""

    def close(self) -> list[Piece]:
        """Return what the end of the bytes left open."""


class Chat(Protocol):
    """The provider's side of a chat dialect: requests are written, answers are read."""

    @property
    def operation(self) -> Endpoint:
        """What a provider is asked for."""

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation in this dialect; BadRequest for content that it cannot hold."""

    def reply(self, raw: bytes) -> Reply:
        """Return what a whole answer says; BadAnswer where it is none."""

    def reader(self, limit: int) -> Reader:
        """Return the reader of one stream, whose events are of at most `limit` bytes."""


class Meaning(NamedTuple):
    """What a provider's bad status means: the `status` that says it best, and whether the call is
    `charged` for although others would not."""

    status: int
    charged: bool = False


class Wire(Protocol):
    """How a provider is spoken to over HTTP, whatever is said."""

    def request(self, outgoing: Outgoing, errand: Errand) -> UpstreamRequest:
        """Return the HTTP request. No header of the client's is known here, so none can travel."""

    def listing(self, errand: Errand) -> UpstreamRequest:
        """Return the request without a body whose answer shows that the credential works."""

    def error_message(self, raw: bytes) -> str:
        """Return what the provider says went wrong, printable and short, "" for nothing."""

    def meaning(self, status: int, raw: bytes) -> Meaning:
        """Return what a bad status means, by the first bytes of the body that came with it."""
