"""How closely an image is looked at: said where a provider has a place for it, named elsewhere."""

import pytest

from gateway.exchange import Endpoint
from gateway.providers.conversation import Conversation, Media, Text, ToolResult, ToolUse, Turn
from gateway.providers.dialect import Target
from gateway.providers.dialects import CHATS, CLIENTS

IMAGE = Media("image", "image/png", "aGk=")
TARGET = Target("gemini-3-flash", "https://x", 9, stream=False)
WITHOUT = ("anthropic", "bedrock")
OPENAIS = ("openai", "azure-openai", "simulated")


def left_out(dialect, *details, within="message"):
    images = tuple(IMAGE._replace(detail=detail) for detail in details)
    turns = (Turn("user", (Text("What?"), *images)),)
    if within == "result":
        call = Turn("assistant", (ToolUse("c1", "look", "{}"),))
        turns = (Turn("user", (Text("?"),)), call, Turn("user", (ToolResult("c1", images),)))
    return CHATS[dialect].written(Conversation(turns), TARGET).left_out


@pytest.mark.parametrize("dialect", CHATS)
def test_what_leaves_it_to_the_model_asks_for_nothing(dialect):
    assert left_out(dialect, "", "auto") == ()


@pytest.mark.parametrize("dialect", WITHOUT)
@pytest.mark.parametrize("detail", ["low", "high", "original", "anything"])
@pytest.mark.parametrize("within", ["message", "result"])
def test_it_is_named_where_a_provider_has_no_place_for_it(dialect, detail, within):
    assert left_out(dialect, "auto", detail, within=within) == ("detail",)


@pytest.mark.parametrize("within", ["message", "result"])
def test_gemini_has_two_levels_one_for_all(within):
    assert left_out("gemini", "low", "low", within=within) == ()
    for details in (["low", "high"], ["original"], ["high", "original"]):
        assert left_out("gemini", *details, within=within) == ("detail",)


@pytest.mark.parametrize("dialect", OPENAIS)
def test_openai_has_it_for_images_alone(dialect):
    assert left_out(dialect, "original") == ()
    document = Media("document", "application/pdf", "aGk=", detail="low")
    asked = Conversation((Turn("user", (document,)),))
    assert CHATS[dialect].written(asked, TARGET).left_out == ("detail",)


def test_each_client_says_it_in_its_own_words():
    url = "data:image/png;base64,aGk="
    for endpoint, body in (
        (
            Endpoint.CHAT,
            {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": url, "detail": "low"}}]}]},
        ),
        (
            Endpoint.RESPONSES,
            {"input": [{"role": "user", "content": [
                {"type": "input_image", "image_url": url, "detail": "low"}]}]},
        ),
        (
            Endpoint.RESPONSES,
            {"input": [{"role": "user", "content": [
                {"type": "input_file", "file_data": "aGk=", "detail": "low"},
                {"type": "input_file", "file_url": "https://h/a.pdf", "detail": "low"}]}]},
        ),
    ):  # fmt: skip
        (turn,) = CLIENTS[endpoint].conversation(body).turns
        assert {part.detail for part in turn.parts} == {"low"}
