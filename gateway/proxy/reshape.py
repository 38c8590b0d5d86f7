"""Step 4, second half: what is declared is done to a body before it is judged.

The app's transformation comes first: it makes what the app sends a call of the API, which may only
then name a model. The model's comes last: who runs the platform has the last word on what may go
there. All that either adds is part of the body, so it is inspected, counted and paid for as if the
client had sent it.
"""

import re
from collections.abc import Sequence

from gateway.exchange import Answer, Body, Endpoint, Head
from gateway.providers.dialect import AnswerStream
from gateway.proxy.directory import Principal
from gateway.proxy.errors import BadRequest
from gateway.proxy.shapes import Shapes
from gateway.proxy.wire import Headers
from gateway.transformation.answers import CutStream, EventCutter, together
from gateway.transformation.circumstances import TAG
from gateway.transformation.document import Step, Transformation, answer_headers, provider_headers
from gateway.transformation.fault import Fault, UnfitBody

_INDEX = re.compile(r"/(\d+)(?=/|\Z)")


class Reshaping:
    """What is declared for one call. `applied` names what was done to its body."""

    __slots__ = ("_head", "_principal", "_shapes", "_steps", "applied")

    def __init__(self, shapes: Shapes, head: Head, principal: Principal) -> None:
        self._shapes = shapes
        self._head = head
        self._principal = principal
        self._steps: list[Step] = []
        self.applied: list[str] = []

    def __call__(self, body: Body) -> Body:
        """Return the body that is judged; BadRequest tells every fault of one that fits no form."""
        shapes, app = self._shapes, self._principal.app.app
        if self._head.endpoint is Endpoint.TRANSCRIPTIONS:  # a form is no JSON
            return body
        body = self._through(shapes.app, "app", f"the app {app.name}", body)
        if body.get("model") is None and shapes.default_model:
            body = {**body, "model": shapes.default_model}
            self.applied.append(f"default_model:{shapes.default_model}")
        model = body.get("model")
        if isinstance(model, str) and model in shapes.routes and model in app.models:
            route = shapes.routes[model]
            body = self._through(route, f"model:{model}", f"the model {model}", body)
        return body

    def cut(self, answer: Answer) -> Answer:
        """Return a whole answer without what is taken out of it; what is no JSON stays whole."""
        cuts = together(step.cuts for step in self._steps)
        if not cuts.whole or answer.raw or answer.content_type:
            return answer
        return answer._replace(body=cuts.of_whole(answer.body))

    def cut_stream(self, stream: AnswerStream) -> AnswerStream:
        """Return a stream whose events come without what is taken out of them."""
        events = together(step.cuts for step in self._steps).events
        return CutStream(stream, events) if events else stream

    def cutter(self) -> EventCutter | None:
        """Return who takes out of events what is to be taken out; None where nothing is."""
        events = together(step.cuts for step in self._steps).events
        return EventCutter(events) if events else None

    def cut_events(self, told: bytes) -> bytes:
        """Return whole events without what is taken out of them."""
        cutter = self.cutter()
        return told if cutter is None else cutter.feed(told) + cutter.close()

    def answer_headers(self) -> Headers:
        """Return the declared headers of the answer."""
        named = answer_headers(self._steps)
        return [(name.encode(), value.encode()) for name, value in named.items()]

    def provider_headers(self, route: str) -> dict[str, str]:
        """Return the declared headers for a provider: the app's, and those of the serving model."""
        steps = self._shapes.app.at(self._head.endpoint)
        serving = self._shapes.routes.get(route)
        if serving is not None:
            steps = (*steps, *serving.at(self._head.endpoint))
        return provider_headers(steps)

    def _through(self, declared: Transformation, name: str, who: str, body: Body) -> Body:
        steps = declared.at(self._head.endpoint)
        if not steps:
            return body
        known = self._known() if any(step.user or step.inject for step in steps) else {}
        try:
            for step in steps:
                body = step.applied(self._head.endpoint, body, known)
        except UnfitBody as error:
            raise _refusal(who, error.faults) from None
        self._steps += steps
        self.applied.append(f"{name}@{declared.hash}")
        return body

    def _known(self) -> dict[str, str]:
        """Return what is known of the call beside its body."""
        row, app, head = self._principal.row, self._principal.app.app, self._head
        return {
            "user": row.user or head.user,
            "key.id": row.public_id,
            "key.name": row.name,
            "key.user": row.user,
            "app.name": app.name,
            "app.tier": app.tier,
            "tenant.name": self._principal.tenant.bundle.tenant,
            "conversation": head.conversation,
            **{f"{TAG}{name}": value for name, value in head.tags},
        }


def begin(head: Head, principal: Principal) -> Reshaping | None:
    """Return what is declared for a call; None where nothing is."""
    shapes = principal.app.shapes
    return None if shapes is None else Reshaping(shapes, head, principal)


def _refusal(who: str, faults: Sequence[Fault]) -> BadRequest:
    return BadRequest(
        "invalid_request",
        f"The body is not what {who} takes: {'; '.join(map(str, faults))}",
        param=_INDEX.sub(r"[\1]", faults[0].path)[1:].replace("/", ".") or None,
        faults=tuple({"path": fault.path, "message": fault.message} for fault in faults),
    )
