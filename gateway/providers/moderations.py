"""The moderations API: texts, or the parts of a message, are told apart by a provider. Pure.

Its answer tells no usage, so the whole bound is charged: nothing, where the price is nothing.
"""

from gateway.exchange import Answer, Body, Call, Endpoint, Outgoing
from gateway.providers import typed
from gateway.providers.dialect import UNNAMED, Source, Target
from gateway.providers.fault import BadAnswer, BadRequest
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.client import INPUTS_MAX
from gateway.providers.unstreamed import Unstreamed, object_of
from gateway.providers.walk import inspected, shown, words

_PART = words("type text image_url")


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong."""
    parts = _parts(body.get("input"))
    inside = sorted({name for part in parts for name in part.keys() - _PART})
    model = typed.name(body.get("model"), "model")
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=inspected(leaves.view, body, endpoint),
        roles=("user",),
        unknown_fields=(*fields.unknown(body, endpoint), *(f"input.{name}" for name in inside)),
        priced_fields=fields.priced(body, endpoint),
    )


def _parts(given: object) -> list[Body]:
    """Return the parts of what is to be judged; none where it is texts. Refuse all else."""
    if isinstance(given, str):
        return []
    if not isinstance(given, list) or not 0 < len(given) <= INPUTS_MAX:
        raise BadRequest(f"input must be a text or a list of 1 to {INPUTS_MAX}", "input")
    if all(isinstance(item, str) for item in given):
        return []
    parts = typed.records(given, "input")
    for index, part in enumerate(parts):
        kind = typed.name(part.get("type"), f"input[{index}].type")
        if kind == "text":
            typed.string(part.get("text"), f"input[{index}].text")
    return parts


class ModerationsNative(Unstreamed):
    """Served by a provider of the same API."""

    def outgoing(self, call: Call, judged: Body, target: Target) -> Outgoing:
        """Return the judged body, with the deployment's model."""
        return Outgoing(Endpoint.MODERATIONS, {**judged, "model": target.model})

    def answer(
        self, raw: bytes, *, viewed: bool, created_s: int, source: Source = UNNAMED
    ) -> Answer:
        """Return a whole answer; BadAnswer where it holds no results."""
        body = object_of(raw)
        if not isinstance(body.get("results"), list):
            raise BadAnswer("the provider's answer holds no results")
        view = shown(leaves.answer_view, body, viewed=viewed)
        return Answer(body, None, "", (), view)
