"""The images API: pictures of a prompt, whole. Pure."""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers import typed
from gateway.providers.dialect import UNNAMED, Source, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.usage import read_usage
from gateway.providers.unstreamed import Unstreamed, object_of
from gateway.providers.walk import inspected, shown, words

IMAGES_MAX = 10
_FORMATS = words("url b64_json")


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong."""
    if not typed.string(body.get("prompt"), "prompt"):
        raise BadRequest("prompt must be a text", "prompt")
    if typed.flag(body, "stream"):
        raise BadRequest("images are not streamed here; leave stream out", "stream")
    if typed.text(body, "response_format") not in ("", *_FORMATS):
        raise BadRequest("response_format must be url or b64_json", "response_format")
    model = typed.name(body.get("model"), "model")
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=inspected(leaves.view, body, endpoint),
        n=typed.count(body, "n", IMAGES_MAX) or 1,
        roles=("user",),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        unknown_fields=fields.unknown(body, endpoint),
        priced_fields=fields.priced(body, endpoint),
    )


class ImagesNative(Unstreamed):
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model."""
        sent = {name: value for name, value in judged.items() if name != "stream"}
        return Outgoing(Endpoint.IMAGES, {**sent, "model": target.model})

    def answer(
        self, raw: bytes, *, viewed: bool, created_s: int, source: Source = UNNAMED
    ) -> Answer:
        """Return a whole answer; older models tell no usage."""
        body = object_of(raw)
        images = body.get("data")
        if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
            raise BadAnswer("the provider's answer holds no images")
        told = body.get("usage")
        usage = read_usage(told if isinstance(told, dict) else {}, wrote=bool(images))
        view = shown(leaves.answer_view, body, viewed=viewed)
        return Answer(body, usage, "", (), view)
