"""What the simulated provider thinks of a text: it is flagged for what it names. Pure."""

from gateway.exchange import Body
from gateway.providers.walk import words

_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit",
    "illicit/violent", "self-harm", "self-harm/instructions", "self-harm/intent", "sexual",
    "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
_OF_IMAGES = words(
    "self-harm self-harm/instructions self-harm/intent sexual violence violence/graphic"
)
_HIGH, _LOW = 0.9, 0.001


def moderations(body: Body, fingerprint: str, model: str) -> Body:
    """Return what is thought of an input: of each text in a list, or of all parts at once."""
    return {
        "id": f"modr-sim{fingerprint}",
        "model": model,
        "results": [_result(*one) for one in _inputs(body["input"])],
    }


def _inputs(given: object) -> list[tuple[str, bool]]:
    """Return each input as its text, and whether an image stands beside it."""
    if not isinstance(given, list):
        return [(str(given), False)]
    if all(isinstance(item, str) for item in given):
        return [(item, False) for item in given]
    texts = [str(part.get("text") or "") for part in given]
    return [("\n".join(texts), any(part["type"] == "image_url" for part in given))]


def _result(text: str, has_image: bool) -> Body:
    lowered = text.lower()
    named = {name: name in lowered for name in _CATEGORIES}
    kinds = {
        name: ["text", *(["image"] if has_image and name in _OF_IMAGES else [])]
        for name in _CATEGORIES
    }
    return {
        "flagged": any(named.values()),
        "categories": named,
        "category_scores": {name: _HIGH if found else _LOW for name, found in named.items()},
        "category_applied_input_types": kinds,
    }
