"""Answers of every dialect, whole and streamed, and a judge that masks what it finds in them."""

import orjson

from gateway.exchange import Edit, Endpoint
from gateway.providers.conversation import Reasoning, Text, ToolUse
from gateway.providers.dialect import Passing, Source
from gateway.providers.dialects import CLIENTS, between
from gateway.providers.edits import apply
from gateway.providers.reply import Argued, Called, Finished, Reply, Said, Spoken, Thought
from gateway.providers.withheld.dialects import WITHHELD
from policies.detectors.finding import Leaf
from policies.detectors.holding import Manner
from policies.detectors.redaction import edits

NEEDS = frozenset({"pii", "secrets"})
DIALECTS = {
    Endpoint.CHAT: "openai",
    Endpoint.COMPLETIONS: "openai",
    Endpoint.RESPONSES: "openai",
    Endpoint.MESSAGES: "anthropic",
}
SOURCE = Source("an-id", "a-model", 1)
LIMIT = 1 << 20


class Judge:
    """Masks everything; `denied` names a tool at whose call it raises."""

    manner = Manner()

    def __init__(self, scanner, denied=""):
        self._scanner, self._denied = scanner, denied
        self.size = 0

    def weigh(self, size):
        self.size += size

    def called(self, name):
        if name == self._denied:
            raise PermissionError(name)

    def may_find(self, text, begin):
        return self._scanner.may_find(text, begin, NEEDS)

    def find(self, text):
        return self._scanner.scan([Leaf(text, "assistant", "")], NEEDS).findings

    def changes(self, text, found):
        return edits(text, found, method="mask", key=b"")

    def seen(self, body, show):
        view = show(body)
        found = self._scanner.scan(view.leaves, NEEDS).findings
        changed = [
            Edit(index, *change)
            for index, leaf in enumerate(view.leaves)
            for change in self.changes(leaf.text, [one for one in found if one.leaf == index])
        ]
        return apply(body, view, changed) if changed else body


def whole(endpoint, reply, judge):
    """Return what may be seen of a whole answer, as (thoughts, words, arguments) of each choice."""
    body = CLIENTS[endpoint].body(reply, SOURCE)
    answer = CLIENTS[endpoint].answer(body, None, viewed=True)
    return said(endpoint, judge.seen(body, lambda _: answer.view))


def said(endpoint, body):
    return [
        (
            "".join(part.text for part in spoken.parts if isinstance(part, Reasoning)),
            "".join(part.text for part in spoken.parts if isinstance(part, Text)),
            [
                (part.name, orjson.loads(part.arguments or "{}"))
                for part in spoken.parts
                if isinstance(part, ToolUse)
            ],
        )
        for spoken in CLIENTS[endpoint].reply(body).choices
    ]


def streamed(endpoint, events, judge):
    """Return the bytes that leave of a stream, given in pieces."""
    stream = WITHHELD[endpoint](judge, LIMIT)
    out = [stream.feed(piece) for piece in events]
    return [*out, stream.close(b"")]


def gathered(endpoint, left):
    """Return what a stream says, read as a client reads it."""
    passing = Passing(collect=True, limit=LIMIT, keep_usage=True, created_s=1)
    reader = between(endpoint, DIALECTS[endpoint]).stream(passing)
    reader.feed(left)
    reader.close()
    assert reader.failed is None
    assert reader.done
    return said(endpoint, reader.assemble().body)


def written(endpoint, reply, sizes):
    """Return the events of a reply in the client's dialect; `sizes` gives the next piece's size."""
    writer = CLIENTS[endpoint].writer(SOURCE, keep_usage=True)
    out = []
    for choice, spoken in enumerate(reply.choices):
        calls = 0
        for part in spoken.parts:
            make = {Text: Said, Reasoning: Thought}.get(type(part))
            if make is not None:
                out += [writer.write([make(choice, one)]) for one in cut(part.text, sizes)]
            else:
                out.append(writer.write([Called(choice, calls, part.id, part.name)]))
                pieces = cut(part.arguments, sizes)
                out += [writer.write([Argued(choice, calls, one)]) for one in pieces]
                calls += 1
        out.append(writer.write([Finished(choice, spoken.finish)]))
    return [*out, writer.end(reply.usage)]


def cut(text, sizes):
    pieces, at = [], 0
    while at < len(text):
        size = next(sizes)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def reply(*choices, usage=None, finish="stop"):
    return Reply("an-id", "a-model", tuple(Spoken(parts, finish) for parts in choices), usage)
