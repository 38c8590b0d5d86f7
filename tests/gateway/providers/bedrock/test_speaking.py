"""Converse requests: every field where the API has it, by AWS's own model of the service."""

import botocore.session
import orjson
import pytest
from botocore.validate import ParamValidator

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
from tests.gateway.providers.conversations import (
    CLOCK,
    FULL,
    HELLO,
    PDF,
    PNG,
    SCHEMA,
    WEATHER,
    asked,
)

CLAUDE = "eu.anthropic.claude-sonnet-4-6"
NOVA = "amazon.nova-2-lite-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
SERVICE = botocore.session.Session().get_service_model("bedrock-runtime")
SHAPE = SERVICE.operation_model("Converse").input_shape


def written(conversation, model=CLAUDE):
    """Return a request that AWS's own validator accepts, and what is left out."""
    target = Target(model, "https://bedrock-runtime.eu-central-1.amazonaws.com", 9, stream=False)
    found = CHATS["bedrock"].written(conversation, target)
    report = ParamValidator().validate({"modelId": model, **found.body}, SHAPE)
    assert not report.has_errors(), report.generate_report()
    return found.body, found.left_out


def test_a_whole_request():
    body, left_out = written(FULL)
    assert left_out == ("temperature",)  # beside thoughts, Claude takes none
    assert body["system"] == [{"text": "Be brief.\n\nBe kind."}]
    first, calls, results, declined, last = body["messages"]
    assert first["content"] == [
        {"text": "What is this? "},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
        {
            "document": {
                "format": "pdf",
                "name": "Report (1)",
                "source": {"bytes": "JVBERi0="},
            }
        },
    ]
    assert calls["content"] == [
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"town": "Oslo"}}},
        {"toolUse": {"toolUseId": "call_2", "name": "clock", "input": {}}},
    ]
    assert results["content"] == [
        {"toolResult": {"toolUseId": "call_1", "content": [{"text": "Sunny, "}, {"text": "21"}]}},
        {
            "toolResult": {
                "toolUseId": "call_2",
                "content": [{"text": "no clock"}],
                "status": "error",
            }
        },
        {"text": "And now?"},
    ]
    assert (declined["content"], last["content"]) == (
        [{"text": "I will not say."}],
        [{"text": "Hello"}],
    )
    assert body["toolConfig"] == {
        "tools": [
            {
                "toolSpec": {
                    "name": "weather",
                    "inputSchema": {"json": SCHEMA},
                    "description": "The weather of a town.",
                }
            },
            {
                "toolSpec": {
                    "name": "clock",
                    "inputSchema": {"json": {"type": "object", "properties": {}}},
                }
            },
        ],
        "toolChoice": {"auto": {}},
    }
    assert body["inferenceConfig"] == {
        "maxTokens": 9,
        "topP": 0.9,
        "stopSequences": ["END", "STOP"],
    }
    assert body["additionalModelRequestFields"] == {"top_k": 40, "thinking": {"type": "adaptive"}}
    output = body["outputConfig"]
    schema = output["textFormat"]["structure"]["jsonSchema"]
    assert output["effort"] == "low"
    assert (schema["name"], schema["description"]) == ("answer", "The town.")
    assert orjson.loads(schema["schema"]) == SCHEMA


def test_the_least_is_the_cap_and_the_words():
    assert written(asked()) == (
        {
            "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
            "inferenceConfig": {"maxTokens": 9},
        },
        (),
    )


def test_what_cannot_be_honoured_is_named():
    _, left_out = written(
        asked(
            Turn("user", (Text("What?"), PNG._replace(detail="high"))),
            n=2,
            seed=7,
            frequency_penalty=0.1,
            presence_penalty=0.1,
            user="u",
            temperature=1.5,
            top_k=5,
            effort="high",
            format=Format(None),
            tools=(CLOCK,),
            parallel=False,
            other=("logprobs",),
        ),
        LLAMA,
    )
    assert left_out == (
        "logprobs",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "n",
        "user",
        "format",
        "top_k",
        "effort",
        "temperature",
        "parallel",
        "detail",
    )


@pytest.mark.parametrize(
    ("model", "effort", "more", "output", "left_out"),
    [
        (CLAUDE, "minimal", {"thinking": {"type": "adaptive"}}, {"effort": "low"}, ()),
        (CLAUDE, "max", {"thinking": {"type": "adaptive"}}, {"effort": "max"}, ()),
        (CLAUDE, "none", {"thinking": {"type": "disabled"}}, None, ()),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}, None, ()),
        (
            NOVA,
            "xhigh",
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}},
            None,
            (),
        ),
        ("openai.gpt-oss-120b-1:0", "medium", {"reasoning_effort": "medium"}, None, ()),
        ("openai.gpt-oss-120b-1:0", "none", None, None, ("effort",)),
        (LLAMA, "low", None, None, ("effort",)),
        (LLAMA, "", None, None, ()),
    ],
)
def test_how_long_to_think_is_said_as_each_family_takes_it(model, effort, more, output, left_out):
    body, lost = written(asked(effort=effort), model)
    assert body.get("additionalModelRequestFields") == more
    assert body.get("outputConfig") == output
    assert lost == left_out


def test_top_k_has_its_place_in_each_family():
    assert written(asked(top_k=5), NOVA)[0]["additionalModelRequestFields"] == {
        "inferenceConfig": {"topK": 5}
    }
    arn = "arn:aws:bedrock:eu-central-1:1:application-inference-profile/x"
    assert written(asked(top_k=5), arn)[1] == ("top_k",)


def test_a_temperature_that_all_take_is_taken():
    assert written(asked(temperature=1.0))[0]["inferenceConfig"]["temperature"] == 1.0
    assert written(asked(temperature=0.5, effort="none"))[1] == ()
    assert written(asked(temperature=0.5, effort="low"), NOVA)[1] == ()


# Tools


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("required", "clock"), {"tool": {"name": "clock"}}),
    ],
)
def test_which_tools_may_be_called(choice, expected):
    body, left_out = written(asked(tools=(WEATHER, CLOCK), tool_choice=choice))
    assert body["toolConfig"].get("toolChoice") == expected
    assert left_out == ()


def test_that_none_may_be_called_is_said_by_telling_of_none():
    silent = {"tools": (CLOCK,), "tool_choice": ToolChoice("none")}
    body, left_out = written(asked(**silent))
    assert "toolConfig" not in body
    assert left_out == ()
    called = Turn("assistant", (ToolUse("c", "clock", "{}"),))
    body, left_out = written(asked(HELLO, called, **silent))
    assert "toolChoice" not in body["toolConfig"]
    assert left_out == ("tool_choice",)


def test_tools_that_were_called_and_are_not_told_of_any_more_are_named_as_gone():
    call, result = ToolUse("c", "clock", "{}"), ToolResult("c", (Text("noon"),))
    turns = HELLO, Turn("assistant", (call, call)), Turn("user", (result,))
    gone = {"name": "clock", "inputSchema": {"json": {"type": "object"}}}
    body, left_out = written(asked(*turns))
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {**gone, "description": "Not available any more."}}]
    }
    assert left_out == ()


def test_a_strict_tool_is_one():
    body, _ = written(asked(tools=(WEATHER._replace(strict=True),)))
    assert body["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True


# Content


def blocks(*parts, role="user"):
    turns = (HELLO, Turn(role, parts)) if role == "assistant" else (Turn(role, parts),)
    return written(asked(*turns))[0]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Report (1).pdf", "Report (1)"),
        ("a/b\\c_d.e.pdf", "a b c d e"),
        ("", "document"),
        ("...", "document"),
        ("Ä" * 10, "document"),
        ("x" * 300, "x" * 200),
    ],
)
def test_the_name_of_a_document_is_one_that_the_api_takes(given, name):
    (block,) = blocks(PDF._replace(name=given))
    assert block["document"]["name"] == name


def test_sounds_and_results_with_images_and_without_anything():
    (sound,) = blocks(Media("audio", "audio/mpeg", "SUQz"))
    assert sound == {"audio": {"format": "mp3", "source": {"bytes": "SUQz"}}}
    assert blocks(ToolResult("c", (PNG,)), ToolResult("d", ())) == [
        {
            "toolResult": {
                "toolUseId": "c",
                "content": [{"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}],
            }
        },
        {"toolResult": {"toolUseId": "d", "content": []}},
    ]


def test_thoughts_go_back_to_who_signed_them():
    found = blocks(
        Reasoning("Hm.", "c2ln"),
        Reasoning("", "", "c2VhbA=="),
        Reasoning("Hm."),
        Reasoning("Hm.", "gemini:c2ln"),
        Text("4"),
        role="assistant",
    )
    assert found == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2VhbA=="}},
        {"text": "4"},
    ]


@pytest.mark.parametrize(
    "part",
    [
        Media("image", "", "", "https://x.example/a.png"),
        Media("image", "image/tiff", "SUkq"),
        Media("document", "application/zip", "UEs="),
        Media("audio", "audio/x", "AA=="),
        ToolUse("c", "clock", "[1]"),
    ],
)
def test_what_would_lose_content_is_refused(part):
    with pytest.raises(BadRequest):
        written(asked(Turn("user", (part,))))


def test_a_turn_without_words_is_none():
    body, _ = written(asked(Turn("user", (Text(""),)), HELLO))
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hello"}]}]


def test_a_form_without_a_name_has_none():
    body, _ = written(asked(format=Format(SCHEMA)))
    schema = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert schema.keys() == {"schema"}


def test_a_message_of_the_user_is_needed():
    with pytest.raises(BadRequest, match="needs a message"):
        written(asked(Turn("system", (Text("Be brief."),))))
