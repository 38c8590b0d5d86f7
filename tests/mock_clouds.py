"""What the mock provider answers in the words of the clouds: Azure OpenAI, Microsoft Entra,
Gemini and Bedrock."""

from typing import Any
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from tests.mock_bedrock import bedrock, bedrock_invoke, bedrock_models
from tests.mock_gemini import gemini, gemini_models
from tests.mock_server import BOOKS, Entry, application, chat, embeddings, json, models

FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
TOKEN = "entra-token"


def clouds() -> web.Application:
    """Return the mock provider with the addresses of the clouds."""
    app = application()
    app.router.add_get("/openai/v1/models", models)
    app.router.add_get("/openai/models", models)
    for base in ("/openai/v1", "/openai/deployments/{model}"):
        app.router.add_post(f"{base}/chat/completions", azure_chat)
        app.router.add_post(f"{base}/embeddings", azure(embeddings))
    app.router.add_post("/{tenant}/oauth2/v2.0/token", entra_token)
    app.router.add_post("/v1beta/models/{target:.+}", gemini)
    app.router.add_get("/v1beta/models", gemini_models)
    app.router.add_post("/model/{model}/{operation:converse|converse-stream}", bedrock)
    app.router.add_post("/model/{model}/invoke", bedrock_invoke)
    app.router.add_get("/foundation-models", bedrock_models)
    return app


def azure(handler: Any) -> Any:
    """Return a handler that asks for what Azure asks for: a credential, and a version."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if not {"api-key", "authorization"} & {name.lower() for name in request.headers}:
            return web.json_response({"error": {"code": "401", "message": "denied"}}, status=401)
        if "model" in request.match_info and "api-version" not in request.query:
            told = {"error": {"code": "404", "message": "Resource not found"}}
            return web.json_response(told, status=404)
        found: web.StreamResponse = await handler(request)
        return found

    return answer


async def _azure_chat(request: web.Request) -> web.StreamResponse:
    prompt = [{"prompt_index": 0, "content_filter_results": FILTERED}]
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    event = b"data: " + orjson.dumps({**first, "prompt_filter_results": prompt}) + b"\n\n"
    return await chat(request, [event])


azure_chat = azure(_azure_chat)


async def entra_token(request: web.Request) -> web.StreamResponse:
    """Give a token, numbered by how many were given before."""
    form = {name: values[0] for name, values in parse_qs(await request.text()).items()}
    books = request.app[BOOKS]
    given = sum(entry.model == "token" for entry in books.entries)
    headers = {name.lower(): value for name, value in request.headers.items()}
    entry = Entry(request.raw_path, "", headers, 0, form, model="token")
    books.entries.append(entry)
    behaviour = books.behaviour("token")
    entry.status = behaviour.status
    if behaviour.status != 200:
        told = {"error": "invalid_client", "error_description": behaviour.message}
        return web.json_response(told, status=behaviour.status)
    token = f"{TOKEN}-{given + 1}"
    return json({"token_type": "Bearer", "expires_in": behaviour.lasts, "access_token": token})
