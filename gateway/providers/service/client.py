"""What a client asks of a service, as a call: every string of path, query and body in its view.
Pure."""

from gateway.exchange import Body, Call, Endpoint, ServiceCall, View
from gateway.providers.fault import BadRequest, TooDeep
from gateway.providers.service.address import PREFIX
from gateway.providers.walk import Grammar, Sheet, Walk

ANY = Grammar(frozenset(), {})
"""JSON of which nothing is known: each key and each value is text."""


def parse(asked: ServiceCall, value: object, size: int) -> Call:
    """Return the call that asks for an operation with a JSON `value` of `size` bytes, if it takes
    one; BadRequest names what is wrong."""
    unknown = [name for name, _ in asked.query if name not in asked.operation.query]
    if unknown:
        allowed = ", ".join(asked.operation.query) or "none"
        raise BadRequest(
            f"the query names {unknown[0][:64]!r}; {asked.operation.name} takes {allowed}", "query"
        )
    model = PREFIX + asked.service.name
    body: Body = {"model": model, "path": dict(asked.path), "query": dict(asked.query)}
    if asked.operation.body == "json":
        body["json"] = value
    if isinstance(value, dict) and value.get("stream") is True:
        raise BadRequest("services do not answer with streams here; leave stream out", "stream")
    return Call(Endpoint.SERVICE, model, body, size, _view(body), service=asked)


def json_view(value: object, at: str) -> View:
    """Return the inspection view of a JSON value that stands under one name; TooDeep."""
    walk = Walk()
    _read(walk, value, at)
    return walk.view()


def _view(body: Body) -> View:
    walk = Walk()
    for name in ("path", "query"):
        sheet = Sheet("", name)
        for key, text in body[name].items():
            sheet.line(key, text, (name, key))
        walk.close(sheet)
    if "json" in body:
        try:
            _read(walk, body["json"], "json")
        except TooDeep as error:
            raise BadRequest(str(error)) from error
    view = walk.view()
    if any("\0" in leaf.text for leaf in view.leaves):
        raise BadRequest("the character U+0000 is not accepted")
    return view


def _read(walk: Walk, value: object, at: str) -> None:
    sheet = Sheet("", at)
    walk.value(ANY, value, (at,), sheet)
    walk.close(sheet)
