"""Requests to Gemini: every field where the API has it, by the types of Google's own client."""

from dataclasses import replace

import pytest
from google.genai import types

from gateway.providers.conversation import (
    Format,
    Media,
    Reasoning,
    Text,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateway.providers.dialect import Target
from gateway.providers.dialects import CHATS
from gateway.providers.fault import BadRequest
from gateway.providers.gemini.content import contents
from tests.gateway.providers.conversations import CLOCK, FULL, HELLO, PNG, SCHEMA, WEATHER, asked

TARGET = Target("gemini-3-flash", "https://generativelanguage.googleapis.com/v1beta", 9, False)  # noqa: FBT003


def written(conversation, model="gemini-3-flash"):
    """Return a request whose parts Google's own types accept, and what is left out."""
    found = CHATS["gemini"].written(conversation, TARGET._replace(model=model))
    body = found.body
    for content in (*body["contents"], *filter(None, [body.get("systemInstruction")])):
        types.Content.model_validate(content)
    types.GenerationConfig.model_validate(body["generationConfig"])
    for tool in body.get("tools", ()):
        types.Tool.model_validate(tool)
    types.ToolConfig.model_validate(body.get("toolConfig", {}))
    assert body.keys() <= {
        "contents",
        "systemInstruction",
        "generationConfig",
        "tools",
        "toolConfig",
    }
    return body, found.left_out


def test_a_whole_request():
    body, left_out = written(FULL)
    assert left_out == ()
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief.\n\nBe kind."}]}
    first, calls, results, declined, last = body["contents"]
    assert [content["role"] for content in body["contents"]] == [
        "user",
        "model",
        "user",
        "model",
        "user",
    ]
    assert first["parts"] == [
        {"text": "What is this? "},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
    ]
    assert calls["parts"] == [
        {"text": "Let me look.", "thoughtSignature": "c2lnbmVk"},
        {
            "functionCall": {"id": "call_1", "name": "weather", "args": {"town": "Oslo"}},
            "thoughtSignature": "skip_thought_signature_validator",
        },
        {"functionCall": {"id": "call_2", "name": "clock", "args": {}}},
    ]
    assert results["parts"] == [
        {
            "functionResponse": {
                "id": "call_1",
                "name": "weather",
                "response": {"result": "Sunny, 21"},
            }
        },
        {"functionResponse": {"id": "call_2", "name": "clock", "response": {"error": "no clock"}}},
        {"text": "And now?"},
    ]
    assert (declined["parts"], last["parts"]) == (
        [{"text": "I will not say."}],
        [{"text": "Hello"}],
    )
    assert body["tools"][0]["functionDeclarations"] == [
        {
            "name": "weather",
            "parametersJsonSchema": SCHEMA,
            "description": "The weather of a town.",
        },
        {"name": "clock", "parametersJsonSchema": {"type": "object", "properties": {}}},
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["END", "STOP"],
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
        "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
    }


def test_the_least_is_the_cap_and_the_words():
    body, left_out = written(asked())
    assert body == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "generationConfig": {"maxOutputTokens": 9},
    }
    assert left_out == ()


def test_what_else_the_api_has_a_place_for():
    body, left_out = written(
        asked(n=3, seed=7, frequency_penalty=0.5, presence_penalty=-0.5, format=Format(None))
    )
    assert left_out == ()
    assert body["generationConfig"] == {
        "maxOutputTokens": 9,
        "seed": 7,
        "frequencyPenalty": 0.5,
        "presencePenalty": -0.5,
        "candidateCount": 3,
        "responseMimeType": "application/json",
    }


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"mode": "AUTO"}),
        (ToolChoice("auto"), {"mode": "AUTO"}),
        (ToolChoice("none"), {"mode": "NONE"}),
        (ToolChoice("required"), {"mode": "ANY"}),
        (ToolChoice("required", "clock"), {"mode": "ANY", "allowedFunctionNames": ["clock"]}),
    ],
)
def test_which_tools_may_be_called(choice, expected):
    body, _ = written(asked(tools=(WEATHER, CLOCK), tool_choice=choice))
    assert body["toolConfig"]["functionCallingConfig"] == expected


def test_strict_tools_have_their_calls_validated():
    body, _ = written(asked(tools=(CLOCK, replace_strict(WEATHER))))
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def replace_strict(tool):
    return tool._replace(strict=True)


def test_what_cannot_be_honoured_is_named():
    _, left_out = written(asked(tools=(CLOCK,), parallel=False, user="u", other=("logprobs",)))
    assert left_out == ("logprobs", "user", "parallel")
    assert written(asked(parallel=False))[1] == ()


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-3-pro", "minimal", {"thinkingLevel": "MINIMAL", "includeThoughts": True}),
        ("gemini-3-pro", "max", {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ("gemini-flash-latest", "medium", {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ("gemini-3-pro", "none", None),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "low", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("models/gemini-2.5-pro", "high", {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.0-flash", "high", None),
    ],
)
def test_how_long_to_think(model, effort, expected):
    body, left_out = written(asked(effort=effort), model)
    assert body["generationConfig"].get("thinkingConfig") == expected
    assert left_out == (() if expected else ("effort",))


def test_a_model_that_does_not_think_need_not_be_told():
    assert written(asked(effort="none"), "gemini-2.0-flash") == (
        {
            "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
            "generationConfig": {"maxOutputTokens": 9},
        },
        (),
    )


def test_how_closely_images_are_looked_at_is_one_for_all():
    def looked(*details):
        parts = tuple(PNG._replace(detail=detail) for detail in details)
        body, left_out = written(asked(Turn("user", parts)))
        return body["generationConfig"].get("mediaResolution"), left_out

    assert looked("low", "low", "auto") == ("MEDIA_RESOLUTION_LOW", ())
    assert looked("high") == ("MEDIA_RESOLUTION_HIGH", ())
    assert looked("auto", "") == (None, ())
    assert looked("low", "high") == (None, ("detail",))


# Content


def test_media_by_address_and_sounds_and_results_with_images():
    url = Media("image", "", "", "https://x.example/a.png")
    known = Media("document", "application/pdf", "", "https://x.example/a.pdf")
    sound = Media("audio", "audio/wav", "UklGRg==")
    turns = (
        Turn("user", (url, known, sound)),
        Turn("assistant", (ToolUse("c", "look", "{}"),)),
        Turn("user", (ToolResult("c", (Text("here"), PNG)),)),
    )
    body, _ = written(asked(*turns))
    first, _, last = body["contents"]
    assert first["parts"] == [
        {"fileData": {"fileUri": "https://x.example/a.png"}},
        {"fileData": {"fileUri": "https://x.example/a.pdf", "mimeType": "application/pdf"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
    ]
    (result,) = last["parts"]
    assert result["functionResponse"]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    ]


def said(*parts, model="gemini-3-pro"):
    return contents([HELLO, Turn("assistant", parts)], model)[-1]["parts"]


CALL = ToolUse("c", "look", "{}")
TOLD = {"functionCall": {"id": "c", "name": "look", "args": {}}}


def test_a_signature_goes_back_to_the_part_that_it_came_with():
    mine = Reasoning("Hm.", "gemini:AAAA")
    assert said(mine, CALL) == [{**TOLD, "thoughtSignature": "AAAA"}]
    assert said(CALL, mine, CALL)[1] == {**TOLD, "thoughtSignature": "AAAA"}
    assert said(Text("4"), mine) == [{"text": "4"}, {"text": "", "thoughtSignature": "AAAA"}]


@pytest.mark.parametrize("model", ["gemini-3-pro", "gemini-4.1-flash", "gemini-pro-latest"])
def test_calls_that_lost_their_signature_say_so_where_one_is_needed(model):
    dummy = {**TOLD, "thoughtSignature": "skip_thought_signature_validator"}
    assert said(CALL, CALL, model=model) == [dummy, TOLD]


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemma-3", "tunedModels/mine"])
def test_and_nothing_where_none_is(model):
    assert said(CALL, model=model) == [TOLD]


def test_the_thoughts_of_another_vendor_stay_behind():
    assert said(Reasoning("Hm.", "c2ln"), Reasoning("", "", "sealed"), Text("4")) == [{"text": "4"}]


@pytest.mark.parametrize(
    "turns",
    [
        (Turn("system", (Text("Be brief."),)),),
        (Turn("user", (ToolResult("x", (Text("1"),)),)),),
        (HELLO, Turn("assistant", (ToolUse("c", "look", "[1]"),))),
    ],
)
def test_what_would_lose_content_is_refused(turns):
    with pytest.raises(BadRequest):
        contents(turns, "gemini-3-pro")


def test_a_turn_without_words_is_none():
    empty = Turn("assistant", (Text(""),))
    assert [one["role"] for one in contents([empty, HELLO], "m")] == ["user"]


def test_a_conversation_is_not_changed_by_being_written():
    before = replace(FULL)
    written(FULL)
    assert before == FULL
