"""GET /v1/models: what this key may call."""

import orjson

from gateway.proxy.directory import Principal
from gateway.proxy.errors import NotFound

PREFIX = "/v1/models/"


def listed(path: str, principal: Principal) -> bytes:
    """Return the list, or the one model that the path names."""
    routes = principal.tenant.bundle.routes
    names = [name for name in principal.app.app.models if name in routes]
    if path.startswith(PREFIX):
        name = path.removeprefix(PREFIX)
        if name not in names:
            raise NotFound(
                "model_not_found",
                f"There is no model {name[:120]!r} for this key.",
                "GET /v1/models lists what this key may call.",
                param="model",
            )
        return orjson.dumps(_model(name))
    return orjson.dumps({"object": "list", "data": [_model(name) for name in sorted(names)]})


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "gatehouse"}
