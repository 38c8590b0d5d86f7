"""One full request of each client, and what goes to each vendor for it, word for word; all of it by
the vendors' own types. So are the answers that the other tests here read."""

import json
from pathlib import Path

import botocore.session
import pytest
from anthropic.types import Message, RawMessageStreamEvent, message_create_params
from botocore.eventstream import EventStreamBuffer
from botocore.validate import ParamValidator
from google.genai import types
from openai.types.chat import ChatCompletion, ChatCompletionChunk, completion_create_params
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from gateway.exchange import Endpoint
from gateway.providers import sse
from gateway.providers.dialect import Target
from gateway.providers.dialects import CHATS, CLIENTS, PARSERS
from tests.gateway.providers.anthropic.test_fields import hints
from tests.gateway.providers.scenes import SCENES

GOLDEN = Path(__file__).parent / "golden"
ASKED = {
    "chat": (Endpoint.CHAT, completion_create_params.CompletionCreateParamsNonStreaming),
    "responses": (Endpoint.RESPONSES, response_create_params.ResponseCreateParamsNonStreaming),
    "messages": (Endpoint.MESSAGES, message_create_params.MessageCreateParamsNonStreaming),
}
MODELS = {
    "openai": "gpt-x",
    "anthropic": "claude-x",
    "gemini": "gemini-3-pro",
    "bedrock": "eu.anthropic.claude-x",
}
BASES = {"openai": "https://api.openai.com/v1"}
UNDECLARED = {"temperature", "top_p", "top_k"}
"""What Anthropic's API takes for models that sample, and its SDK declares no more."""

SERVICE = botocore.session.Session().get_service_model("bedrock-runtime")


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def written(client, dialect):
    """Return what goes to a vendor for a client's full request, and what is left out."""
    endpoint, _ = ASKED[client]
    body = golden(client)
    PARSERS[endpoint](endpoint, body, 100)
    target = Target(MODELS[dialect], BASES.get(dialect, "https://x"), 500, stream=False)
    found = CHATS[dialect].written(CLIENTS[endpoint].conversation(body), target)
    return {"body": found.body, "left_out": list(found.left_out)}


@pytest.mark.parametrize("client", ASKED)
def test_a_clients_request_is_one_of_its_own_types(client):
    body, (_, params) = golden(client), ASKED[client]
    assert body.keys() - UNDECLARED <= hints(params).keys()
    TypeAdapter(params).validate_python(body)


@pytest.mark.parametrize("dialect", MODELS)
@pytest.mark.parametrize("client", ASKED)
def test_what_goes_to_each_vendor_is_what_is_written_down(client, dialect):
    assert written(client, dialect) == golden(f"{client}-to-{dialect}")


@pytest.mark.parametrize("client", ASKED)
def test_what_goes_to_openai_and_anthropic_is_of_their_types(client):
    for dialect, params in (
        ("openai", completion_create_params.CompletionCreateParamsNonStreaming),
        ("anthropic", message_create_params.MessageCreateParamsNonStreaming),
    ):
        body = golden(f"{client}-to-{dialect}")["body"]
        assert (
            body.keys() - (UNDECLARED if dialect == "anthropic" else set()) <= hints(params).keys()
        )
        TypeAdapter(params).validate_python(body)


@pytest.mark.parametrize("client", ASKED)
def test_what_goes_to_bedrock_is_of_its_model(client):
    body = golden(f"{client}-to-bedrock")["body"]
    shape = SERVICE.operation_model("Converse").input_shape
    report = ParamValidator().validate({"modelId": MODELS["bedrock"], **body}, shape)
    assert not report.has_errors(), report.generate_report()


@pytest.mark.parametrize("client", ASKED)
def test_what_goes_to_gemini_is_of_its_types(client):
    body = golden(f"{client}-to-gemini")["body"]
    for content in (*body.pop("contents"), body.pop("systemInstruction")):
        types.Content.model_validate(content, extra="forbid")
    for tool in body.pop("tools"):
        types.Tool.model_validate(tool, extra="forbid")
    types.ToolConfig.model_validate(body.pop("toolConfig"), extra="forbid")
    types.GenerationConfig.model_validate(body.pop("generationConfig"), extra="forbid")
    assert body == {}


# What the vendors answer in the other tests


def fits(shape, value):
    """Hold that a value in JSON has no field that a shape of AWS's model has not."""
    if getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure":
        assert value.keys() <= shape.members.keys()
        for name, child in value.items():
            fits(shape.members[name], child)
    elif shape.type_name == "list":
        for child in value:
            fits(shape.member, child)


def scenes(dialect):
    return [pytest.param(told, id=name) for (of, name), told in SCENES.items() if of == dialect]


@pytest.mark.parametrize("told", scenes("openai"))
def test_openais_answers_are_of_its_types(told):
    ChatCompletion.model_validate_json(told.whole)
    for event in sse.Parser(1 << 20).feed(told.stream):
        if event.data != b"[DONE]":
            ChatCompletionChunk.model_validate_json(event.data)


@pytest.mark.parametrize("told", scenes("anthropic"))
def test_anthropics_answers_are_of_its_types(told):
    Message.model_validate_json(told.whole)
    events = TypeAdapter(RawMessageStreamEvent)
    for event in sse.Parser(1 << 20).feed(told.stream):
        if event.name != b"ping":
            assert events.validate_json(event.data).type.encode() == event.name


@pytest.mark.parametrize("told", scenes("bedrock"))
def test_bedrocks_answers_are_of_its_model(told):
    fits(SERVICE.operation_model("Converse").output_shape, json.loads(told.whole))
    kinds = SERVICE.operation_model("ConverseStream").output_shape.members["stream"].members
    buffer = EventStreamBuffer()
    buffer.add_data(told.stream)
    for event in buffer:
        payload = json.loads(event.payload)
        payload.pop("p", None)  # padding, which AWS sends and its model does not tell of
        fits(kinds[event.headers[":event-type"]], payload)
