"""The images API: pictures of a prompt. A stream is one event with the one picture, whole: what is
not finished would be seen before anybody could judge the answer. Pure."""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers import typed
from gateway.providers.dialect import AnswerStream, Passing, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.media.whole import WholeStream, written
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.usage import read_usage
from gateway.providers.unstreamed import object_of
from gateway.providers.walk import inspected, shown, words

IMAGES_MAX = 10
_FORMATS = words("url b64_json")
_OF_STREAMS = words("stream partial_images")
_USUAL = {"background": "auto", "output_format": "png", "quality": "auto", "size": "auto"}


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong."""
    if not typed.string(body.get("prompt"), "prompt"):
        raise BadRequest("prompt must be a text", "prompt")
    if typed.text(body, "response_format") not in ("", *_FORMATS):
        raise BadRequest("response_format must be url or b64_json", "response_format")
    count = typed.count(body, "n", IMAGES_MAX) or 1
    stream = typed.flag(body, "stream")
    if stream:
        _check_stream(body, count)
    model = typed.name(body.get("model"), "model")
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=inspected(leaves.view, body, endpoint),
        stream=stream,
        n=count,
        roles=("user",),
        user=typed.text(body, "user") or typed.text(body, "safety_identifier"),
        unknown_fields=fields.unknown(body, endpoint),
        priced_fields=fields.priced(body, endpoint),
    )


def _check_stream(body: Body, count: int) -> None:
    """Refuse what no stream of one whole picture can hold."""
    if count > 1:
        raise BadRequest("a stream holds one image; leave n out", "n")
    if body.get("response_format") == "url":
        raise BadRequest("a stream holds the image itself, no address", "response_format")
    if body.get("partial_images"):
        raise BadRequest(
            "unfinished images are not shown, since nobody has judged the answer yet; "
            "leave partial_images out",
            "partial_images",
        )


class ImagesNative:
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model."""
        sent = {name: value for name, value in judged.items() if name not in _OF_STREAMS}
        return Outgoing(Endpoint.IMAGES, {**sent, "model": target.model})

    def answer(self, raw: bytes, *, viewed: bool, created_s: int) -> Answer:
        """Return a whole answer; older models tell no usage."""
        body = object_of(raw)
        images = body.get("data")
        if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
            raise BadAnswer("the provider's answer holds no images")
        told = body.get("usage")
        usage = read_usage(told if isinstance(told, dict) else {}, wrote=bool(images))
        view = shown(leaves.answer_view, body, viewed=viewed)
        return Answer(body, usage, "", (), view)

    def stream(self, passing: Passing) -> AnswerStream:
        """Return the reader of the whole answer that a stream is made of."""
        return WholeStream(self._read, _events, passing)

    def render(self, answer: Answer, *, keep_usage: bool) -> bytes:
        """Return a whole answer as a stream."""
        return written(_events(answer.body))

    def _read(self, raw: bytes, passing: Passing) -> Answer:
        return self.answer(raw, viewed=passing.collect, created_s=passing.created_s)


def _events(body: Body) -> list[Body]:
    """Return the event of each picture, with what the answer says of them all."""
    told = {name: body.get(name) or usual for name, usual in _USUAL.items()}
    told["created_at"] = body.get("created", 0)
    if isinstance(body.get("usage"), dict):
        told["usage"] = body["usage"]
    return [{"type": "image_generation.completed", **image, **told} for image in body["data"]]
