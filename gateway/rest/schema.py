"""Draws the OpenAPI document from what resources declare."""

from typing import Any

from drf_spectacular.openapi import AutoSchema

from audit.rest.fields import REASON_MAX
from audit.rest.problems import MEDIA_TYPE
from gateway.rest.besides import OAUTH_ERROR, besides
from gateway.scopes import SCOPES

PROBLEM = {
    "type": "object",
    "description": "Why a request was not done (RFC 9457).",
    "required": ["type", "title", "status", "detail", "errors", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Path, or empty for the whole."},
                    "message": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
        "permission": {"type": "string", "description": "The action that is lacking (403)."},
        "scope": {"type": "string", "description": "The scope that is lacking (403)."},
        "current": {"type": "object", "description": "What the object is now (412)."},
    },
}
ANYWHERE = {
    "400": "Something in the request is not what it should be.",
    "401": "No token or session, or one that is good no more.",
    "403": "The roles or the token's scopes do not include it.",
    "404": "There is no such object, or none to be seen.",
    "429": "Too many requests of this actor; see Retry-After.",
}
WRITES = {
    "409": "It clashes with what is stored, or with the Idempotency-Key's first request.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
}
MATCHED = {
    "412": "The object has changed meanwhile.",
    "428": "If-Match is missing.",
}
OTHERS = {"default": "Any other refusal, or a fault of ours."}
CHANGING = ("post", "put", "patch", "delete")
REQUEST = "Request"
"""How the names of bodies end; what they do not list is refused."""

PUBLISH = "policies_versions_create"
IF_MATCH = "IfMatch"
IF_MATCH_OR_NOT = "IfMatchOrNot"
IDEMPOTENCY_KEY = "IdempotencyKey"


class ResourceSchema(AutoSchema):
    """Describes each method of a resource by its `bodies`, `queries`, `answers` and `access`."""

    view: Any

    def get_request_serializer(self) -> Any:
        """Return what the method takes."""
        return self.view.bodies.get(self.view.action)

    def get_override_parameters(self) -> list[Any]:
        """Return what the method takes in its address."""
        asked = self.view.queries.get(self.view.action)
        return [] if asked is None else [asked]

    def get_response_serializers(self) -> Any:
        """Return what the method gives, by status."""
        action = self.view.action
        answer = self.view.answers.get(action, self.view.serializer_class)
        if answer is None or action == "destroy":
            return {204: None}
        return {201 if action in self.view.makes else 200: answer}

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the two ways in, and the scope that a token needs."""
        return [{"oauth2": [self.view.access[self.view.action].scope]}, {"session": []}]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        """Return the first line of the method's docstring, and what it takes to call it."""
        access = self.view.access[self.view.action]
        return f"{super().get_description()}\n\nPermission: `{access.action}`."

    def get_filter_backends(self) -> list[Any]:
        """Return what filters: the main list alone."""
        return super().get_filter_backends() if self.view.action == "list" else []

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self.method == "GET" and self.view.action in self.view.listings()


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation what it answers when it cannot be done, and the headers it takes."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["securitySchemes"] = _ways_in()
    components["parameters"] = _headers()
    components["responses"] = {
        _name(status): _problem(description)
        for status, description in (ANYWHERE | WRITES | MATCHED | OTHERS).items()
    }
    for name, schema in components["schemas"].items():
        if name.endswith(REQUEST):
            schema["additionalProperties"] = False
    for path in result["paths"].values():
        for method, operation in path.items():
            _describe(method, operation)
    result["paths"] |= besides()
    components["schemas"]["OAuthError"] = OAUTH_ERROR
    return result


def _describe(method: str, operation: dict[str, Any]) -> None:
    problems = ANYWHERE | OTHERS | (WRITES if method in CHANGING else {})
    headers = [IDEMPOTENCY_KEY] if method == "post" else []
    is_matched = method == "patch" or operation["operationId"] == PUBLISH
    if is_matched or method == "delete":
        problems |= MATCHED
        headers.append(IF_MATCH if is_matched else IF_MATCH_OR_NOT)
    for status in problems:
        operation["responses"][status] = {"$ref": f"#/components/responses/{_name(status)}"}
    parameters = operation.setdefault("parameters", [])
    parameters += [{"$ref": f"#/components/parameters/{name}"} for name in headers]
    if method == "delete":
        text = {"type": "string", "maxLength": REASON_MAX}
        parameters.append({"name": "reason", "in": "query", "schema": text})


def _name(status: str) -> str:
    return "Refusal" if status == "default" else f"Refusal{status}"


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def _ways_in() -> dict[str, Any]:
    flows = {
        "clientCredentials": {"tokenUrl": "/o/token/", "scopes": dict(SCOPES)},
        "authorizationCode": {
            "authorizationUrl": "/o/authorize/",
            "tokenUrl": "/o/token/",
            "scopes": dict(SCOPES),
        },
    }
    return {
        "oauth2": {"type": "oauth2", "flows": flows},
        "session": {"type": "apiKey", "in": "cookie", "name": "gatehouse"},
    }


def _headers() -> dict[str, Any]:
    if_match = {
        "name": "If-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": "The ETag of what you have read.",
    }
    return {
        IF_MATCH: {**if_match, "required": True},
        IF_MATCH_OR_NOT: if_match,
        IDEMPOTENCY_KEY: {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
            "description": "A name of your own for this write: sent again, it is not done again.",
        },
    }
