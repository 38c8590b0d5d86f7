"""The embeddings of Bedrock: InvokeModel, with a body of the model's own. Pure.

Titan takes one text and says what it counted; Cohere takes up to 96, and what it counted stands in
a header.
"""

from collections.abc import Mapping

from gateway.exchange import Body
from gateway.providers.conversation import Written
from gateway.providers.dialect import Target
from gateway.providers.embedding import Asked, Embedded, counted, numbers
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.unstreamed import object_of
from gateway.providers.walk import words

TEXTS_MAX = 96
COUNTED = "x-amzn-bedrock-input-token-count"
USUAL_TYPE = "search_document"
_TYPES = words("search_document search_query classification clustering")
_DIGITS_MAX = 15


class BedrockEmbedder:
    """Titan's models, and Cohere's, which may be told what the vectors are for in `input_type`."""

    own = words("input_type")

    def written(self, asked: Asked, target: Target) -> Written:
        """Return a request as the model wants it, by its name; BadRequest for another's."""
        if "cohere.embed" in target.model:
            return _cohere(asked, has_dimensions="embed-v4" in target.model)
        if "titan-embed-text" in target.model:
            return _titan(asked, has_dimensions="text-v1" not in target.model)
        raise BadRequest(
            "of this provider only the embeddings of Titan's and Cohere's models are served",
            "model",
        )

    def embedded(self, raw: bytes, told: Mapping[str, str]) -> Embedded:
        """Return the vectors, in either form."""
        body = object_of(raw)
        if "embedding" in body:
            return Embedded([numbers(body["embedding"])], counted(body.get("inputTextTokenCount")))
        found = body.get("embeddings")
        vectors = found.get("float") if isinstance(found, dict) else found
        if not isinstance(vectors, list):
            raise BadAnswer("the provider's answer holds no vectors")
        return Embedded([numbers(vector) for vector in vectors], counted(_header(told)))


def _titan(asked: Asked, *, has_dimensions: bool) -> Written:
    if len(asked.texts) != 1:
        raise BadRequest("this model takes one text at once", "input")
    left_out = ["input_type"] if asked.own else []
    body: Body = {"inputText": asked.texts[0]}
    if has_dimensions:
        body |= {"embeddingTypes": ["float"]}
        body |= {"dimensions": asked.dimensions} if asked.dimensions else {}
    elif asked.dimensions:
        left_out.append("dimensions")
    return Written(body, tuple(left_out))


def _cohere(asked: Asked, *, has_dimensions: bool) -> Written:
    if len(asked.texts) > TEXTS_MAX:
        raise BadRequest(f"this model takes at most {TEXTS_MAX} texts at once", "input")
    kind = asked.own.get("input_type", USUAL_TYPE)
    if kind not in _TYPES:
        raise BadRequest(f"input_type must be one of {', '.join(sorted(_TYPES))}", "input_type")
    body: Body = {
        "texts": list(asked.texts),
        "input_type": kind,
        "embedding_types": ["float"],
        "truncate": "NONE",
    }
    if asked.dimensions and has_dimensions:
        body["output_dimension"] = asked.dimensions
    left_out = ["dimensions"] if asked.dimensions and not has_dimensions else []
    return Written(body, tuple(left_out))


def _header(told: Mapping[str, str]) -> int | None:
    """Return how many tokens the headers say that the provider read."""
    value = told.get(COUNTED, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX else None
