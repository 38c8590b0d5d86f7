"""The addresses of the OpenAPI document that no resource makes, described by hand.

A test walks the resolver: what is neither drawn nor here, and is not a page for people, fails it.
"""

from collections.abc import Mapping
from typing import Any

FORM = "application/x-www-form-urlencoded"
OAUTH_ERROR = {
    "type": "object",
    "description": "Why a request to the OAuth2 server was not done (RFC 6749, section 5.2).",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}
_SECRET = {"type": "string", "description": "Or by HTTP Basic, with the id."}
_WHO = {"client_id": {"type": "string"}, "client_secret": _SECRET}
_TOKEN = {
    "token": {"type": "string"},
    "token_type_hint": {"type": "string", "enum": ["access_token", "refresh_token"]},
}
_ASKED = {
    "grant_type": {
        "type": "string",
        "enum": ["authorization_code", "client_credentials", "refresh_token"],
    },
    "scope": {"type": "string", "description": "With spaces between; else all it may have."},
    "code": {"type": "string"},
    "redirect_uri": {"type": "string"},
    "code_verifier": {"type": "string"},
    "refresh_token": {"type": "string"},
}
_ISSUED = {
    "type": "object",
    "required": ["access_token", "expires_in", "token_type", "scope"],
    "properties": {
        "access_token": {"type": "string"},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "token_type": {"type": "string", "enum": ["Bearer"]},
        "scope": {"type": "string"},
        "refresh_token": {"type": "string"},
    },
}
_MEANING = {
    "type": "object",
    "required": ["active"],
    "properties": {
        "active": {"type": "boolean"},
        "scope": {"type": "string"},
        "client_id": {"type": "string"},
        "username": {"type": "string"},
        "exp": {"type": "integer"},
    },
}
_REFUSALS = {
    "400": "The request is not what it should be, or the grant is good no more.",
    "401": "The application is unknown, or has not proven itself.",
    "415": "The body is not a form.",
    "429": "Too many requests; see Retry-After.",
}


def besides() -> dict[str, Any]:
    """Return the addresses by path."""
    return {
        "/api/schema/": {"get": _schema()},
        "/api/v1/downloads/{token}": {"get": _download()},
        "/o/introspect/": {
            "post": _oauth("introspect", "Say what a token is good for.", _TOKEN, _json(_MEANING))
        },
        "/o/revoke/": {
            "post": _oauth("revoke", "End a token.", _TOKEN, {"description": "It has ended."})
        },
        "/o/token/": {"post": _oauth("token", "Ask for a token.", _ASKED, _json(_ISSUED))},
    }


def _schema() -> dict[str, Any]:
    return {
        "operationId": "schema_retrieve",
        "description": "Answer with this document.",
        "tags": ["schema"],
        "security": [],
        "responses": {"200": _json({"type": "object"})},
    }


def _download() -> dict[str, Any]:
    binary = {"type": "string", "format": "binary"}
    address = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}
    content = {"application/gzip": {"schema": binary}, "application/json": {"schema": binary}}
    found = {"description": "A part, or the manifest.", "content": content}
    return {
        "operationId": "downloads_retrieve",
        "description": "Open one file of an export, by the address that was given out for it.\n\n"
        "The token in the address is the permission; it is good for a minute.",
        "tags": ["downloads"],
        "parameters": [address],
        "security": [],
        "responses": {"200": found, "404": {"$ref": "#/components/responses/Refusal404"}},
    }


def _oauth(
    name: str, description: str, fields: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, Any]:
    first = next(iter(fields))
    body = {"type": "object", "required": [first], "properties": {**fields, **_WHO}}
    error = {"$ref": "#/components/schemas/OAuthError"}
    refusals = {status: _json(error, said) for status, said in _REFUSALS.items()}
    return {
        "operationId": f"oauth_{name}",
        "description": f"{description}\n\nThe application proves itself by its secret.",
        "tags": ["oauth"],
        "requestBody": {"required": True, "content": {FORM: {"schema": body}}},
        "security": [],
        "responses": {"200": dict(answer), **refusals},
    }


def _json(schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": dict(schema)}}}
