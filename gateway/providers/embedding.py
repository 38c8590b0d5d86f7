"""The embeddings API in front of providers that have one of their own. Pure.

Texts go there, vectors come back: in numbers or in base64, as the client asks for them.
"""

import base64
import struct
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing, Usage
from gateway.providers import typed
from gateway.providers.conversation import Written
from gateway.providers.dialect import Source, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import upstream
from gateway.providers.unstreamed import Unstreamed
from gateway.providers.walk import words

_DIMENSIONS_MAX = 1 << 16
_TOKENS_MAX = 1 << 53
_READ = words("model input dimensions encoding_format user")
_FORMATS = words("float base64")
_UNNAMED = Source("", "", 0)


class Asked(NamedTuple):
    """What is to become vectors; `own` are fields of the provider's own, by name."""

    texts: tuple[str, ...]
    dimensions: int | None
    own: Mapping[str, str]


class Embedded(NamedTuple):
    """A vector for each text; `usage` is None where it was not told."""

    vectors: list[list[float]]
    usage: Usage | None


class Embedder(Protocol):
    """The provider's side: a request is written, an answer is read."""

    @property
    def own(self) -> frozenset[str]:
        """The fields that it takes beyond those of the API."""

    def written(self, asked: Asked, target: Target) -> Written:
        """Return a request; BadRequest for what cannot be asked for there."""

    def embedded(self, raw: bytes, told: Mapping[str, str]) -> Embedded:
        """Return what an answer holds; `told` are its headers. BadAnswer where it is none."""


class EmbeddingTranslation(Unstreamed):
    """The embeddings API in front of a provider's. `source` knows what one call asked for."""

    def __init__(self, embedder: Embedder, source: Source = _UNNAMED) -> None:
        self._embedder = embedder
        self._source = source

    def named(self, source: Source) -> "EmbeddingTranslation":
        """Return the same for one call."""
        return EmbeddingTranslation(self._embedder, source)

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body as the provider wants it."""
        if typed.text(judged, "encoding_format") not in ("", *_FORMATS):
            raise BadRequest("encoding_format must be float or base64", "encoding_format")
        own = {name: typed.text(judged, name) for name in self._embedder.own if judged.get(name)}
        dimensions = typed.count(judged, "dimensions", _DIMENSIONS_MAX)
        asked = Asked(_texts(judged["input"]), dimensions, own)
        written = self._embedder.written(asked, target)
        others = judged.keys() - _READ - self._embedder.own
        left_out = [name for name in judged if name in others and judged[name] is not None]
        return Outgoing(Endpoint.EMBEDDINGS, written.body, (*written.left_out, *left_out))

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer in the words of the API."""
        asked = self._source.asked
        vectors, usage = self._embedder.embedded(raw, self._source.told)
        if len(vectors) != len(_texts(asked["input"])):
            raise BadAnswer("the provider's answer does not hold a vector for each input")
        is_packed = asked.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(one, is_packed=is_packed)}
            for index, one in enumerate(vectors)
        ]
        body: Body = {"object": "list", "data": data, "model": self._source.model}
        if usage is not None:
            counted = usage.input_tokens
            body["usage"] = {"prompt_tokens": counted, "total_tokens": counted}
        return upstream.answer(body, usage, viewed=viewed)


def numbers(value: object) -> list[float]:
    """Return a vector; BadAnswer for anything else."""
    if not isinstance(value, list) or not value or not set(map(type, value)) <= {int, float}:
        raise BadAnswer("a vector of the provider's answer is none")
    return value


def counted(tokens: object) -> Usage | None:
    """Return the usage of an embedding that was told as one number; None for no such number."""
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 0 < tokens < _TOKENS_MAX:
        return None
    return Usage(tokens, 0)


def _texts(given: object) -> tuple[str, ...]:
    """Return the texts of an input; token numbers are those of one vendor's models."""
    texts = given if isinstance(given, list) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise BadRequest("this provider takes texts, no token numbers", "input")
    return tuple(texts)


def _vector(vector: list[float], *, is_packed: bool) -> str | list[float]:
    if not is_packed:
        return vector
    try:
        packed = struct.pack(f"<{len(vector)}f", *vector)
    except (OverflowError, struct.error) as error:
        raise BadAnswer("a number of the provider's answer is too large") from error
    return base64.b64encode(packed).decode()
