"""The embeddings of Gemini: batchEmbedContents, a request for each text. Pure."""

from collections.abc import Mapping

from gateway.exchange import Body
from gateway.providers.conversation import Written
from gateway.providers.dialect import Target
from gateway.providers.embedding import Asked, Embedded, counted, numbers
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.gemini.wire import model_path
from gateway.providers.unstreamed import object_of
from gateway.providers.walk import words

TEXTS_MAX = 100


class GeminiEmbedder:
    """batchEmbedContents; what the vectors are for may be said in `task_type`."""

    own = words("task_type")

    def written(self, asked: Asked, target: Target) -> Written:
        """Return a request; each of its texts names the model again, as the API wants it."""
        if len(asked.texts) > TEXTS_MAX:
            raise BadRequest(f"this provider takes at most {TEXTS_MAX} texts at once", "input")
        said = {
            "model": model_path(target.model),
            "outputDimensionality": asked.dimensions,
            "taskType": asked.own.get("task_type"),
        }
        common: Body = {name: value for name, value in said.items() if value is not None}
        requests = [{**common, "content": {"parts": [{"text": text}]}} for text in asked.texts]
        return Written({"requests": requests})

    def embedded(self, raw: bytes, told: Mapping[str, str]) -> Embedded:
        """Return the vectors; older models tell no usage."""
        body = object_of(raw)
        items = body.get("embeddings")
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadAnswer("the provider's answer holds no vectors")
        usage = body.get("usageMetadata")
        tokens = usage.get("promptTokenCount") if isinstance(usage, dict) else None
        return Embedded([numbers(item.get("values")) for item in items], counted(tokens))
