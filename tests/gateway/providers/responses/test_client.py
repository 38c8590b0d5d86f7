"""The client side of the responses API: what is lifted, what is refused, what merely travels."""

import pytest

from gateway.exchange import Endpoint
from gateway.providers.conversation import (
    Conversation,
    Declined,
    Format,
    Media,
    Reasoning,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from gateway.providers.dialect import Target
from gateway.providers.dialects import CHATS
from gateway.providers.fault import BadRequest
from gateway.providers.responses.answering import TRANSLATED
from gateway.providers.responses.asking import conversation
from gateway.providers.responses.client import parse
from gateway.providers.responses.conversing import ResponsesClient
from gateway.providers.responses.native import ResponsesNative
from gateway.providers.translation import Translation
from tests.gateway.providers.responses.bodies import DATA, REQUEST

TARGET = Target("real", "https://api.openai.com/v1", 9, stream=False)
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


def ask(**fields):
    return parse(Endpoint.RESPONSES, {"model": "m", "input": "hi", **fields}, 100)


def item(**fields):
    return {"input": [{"type": "message", "role": "user", "content": "x", **fields}]}


def test_what_is_lifted():
    body = {name: value for name, value in REQUEST.items() if name != "stream_options"}
    call = parse(Endpoint.RESPONSES, body, 321)
    assert (call.endpoint, call.model, call.size, call.stream) == ("responses", "m", 321, True)
    assert (call.max_output_tokens, call.messages, call.temperature) == (9_000_000, 12, 0.5)
    assert call.roles == ("system", "developer", "user", "assistant", "tool")
    assert call.tools == ("weather", "shout", "mcp")
    assert (call.tool_choice, call.user, call.n) == ("tool:weather", "alice", 1)
    assert call.unknown_fields[0] == "strange"
    assert set(call.unknown_fields) == {
        "strange",
        *(f"tools.{name}" for name in ("server_label", "server_url", "headers")),
        *(f"input.{name}" for name in ("server_label", "error", "result")),
        *("input.content.video",),
    }
    assert call.priced_fields == ()
    assert call.body is body


def test_what_is_not_given_has_a_value():
    unset = ("instructions", "stream", "stream_options", "tools", "tool_choice", "temperature")
    unset += ("max_output_tokens", "reasoning", "text", "user", "store", "previous_response_id")
    call = ask(**dict.fromkeys(unset))
    assert (call.stream, call.max_output_tokens, call.messages) == (False, None, 1)
    assert (call.tools, call.tool_choice, call.temperature, call.user) == ((), "", None, "")
    assert (call.unknown_fields, call.priced_fields, call.view.uninspected) == ((), (), ())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        (item(role="tool"), "input[0].role"),
        (item(role=["user"]), "input[0].role"),
        (item(content=None), "input[0].content"),
        (item(content=[{"text": "x"}]), "input[0].content[0].type"),
        (item(content=[{"type": "input_text"}]), "input[0].content[0].text"),
        (item(content=[{"type": "refusal"}]), "input[0].content[0].refusal"),
        (item(type="function_call"), "input[0].call_id"),
        (item(type="function_call", call_id="c"), "input[0].name"),
        (item(type="function_call", call_id="c", name="f"), "input[0].arguments"),
        (item(type="custom_tool_call", call_id="c", name="f", input={}), "input[0].input"),
        (item(type="function_call_output"), "input[0].call_id"),
        (item(type="function_call_output", call_id="c"), "input[0].output"),
        (item(type="function_call_output", call_id="c", output=[1]), "input[0].output[0]"),
        (item(type="reasoning", summary=[{"type": "summary_text"}]), "input[0].summary[0].text"),
        (item(type="reasoning", encrypted_content=4), "input[0].encrypted_content"),
        ({"instructions": ["x"]}, "instructions"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": 1}, "stream_options"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort"),
        ({"reasoning": {"summary": []}}, "reasoning.summary"),
        ({"text": "json"}, "text"),
        ({"text": {"format": "json"}}, "text.format"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"text": {"format": {"type": ["text"]}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.name"),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": 1}}},
            "text.format.schema",
        ),
        ({"tools": {}}, "tools"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{**TOOL, "parameters": 1}]}, "tools[0].parameters"),
        ({"tools": [{**TOOL, "description": 1}]}, "tools[0].description"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"tool_choice": []}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"user": 7}, "user"),
        ({"instructions": "a\0b"}, "instructions"),
        # what the provider keeps
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
    ],
)
def test_what_is_wrong_is_named(fields, param):
    with pytest.raises(BadRequest) as caught:
        ask(**fields)
    assert caught.value.param == param
    assert param.split("[")[0].split(".")[0] in caught.value.message or "U+0000" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "auto"}, "tool:auto"),
        ({"type": "custom", "name": "c"}, "tool:c"),
        ({"type": "web_search"}, "tool:web_search"),
        ({"type": "mcp", "server_label": "s", "name": "look"}, "tool:look"),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "required"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "auto"),
    ],
)
def test_how_a_tool_is_chosen(choice, read):
    assert ask(tool_choice=choice).tool_choice == read


@pytest.mark.parametrize(
    ("fields", "unknown", "priced"),
    [
        ({"service_tier": "flex"}, (), ("service_tier",)),
        ({"service_tier": "default"}, (), ()),
        ({"context_management": [{"type": "compaction"}]}, (), ("context_management",)),
        ({"reasoning": {"mode": "pro"}}, (), ("reasoning.mode",)),
        ({"reasoning": {"mode": "standard"}}, (), ()),
        ({"reasoning": {"depth": 3}}, ("reasoning.depth",), ()),
        ({"text": {"colour": 1}}, ("text.colour",), ()),
        ({"text": {"format": {"type": "text", "x": 1}}}, ("text.format.x",), ()),
        ({"stream": True, "stream_options": {"x": 1}}, ("stream_options.x",), ()),
        ({"tools": [{**TOOL, "x": 1}]}, ("tools.x",), ()),
        (item(x=1), ("input.x",), ()),
        (item(content=[{"type": "input_text", "text": "t", "x": 1}]), ("input.content.x",), ()),
        (
            item(content=[{"type": "input_text", "text": "t", "prompt_cache_breakpoint": {}}]),
            (),
            ("input.content.prompt_cache_breakpoint",),
        ),
        ({"best_of": 2}, ("best_of",), ()),
    ],
)
def test_case_15_what_is_unlisted_or_priced_is_named(fields, unknown, priced):
    call = ask(**fields)
    assert (call.unknown_fields, call.priced_fields) == (unknown, priced)


def test_what_is_sent_is_what_was_judged_with_our_cap_and_never_stored():
    foreign = {"type": "reasoning", "id": f"{TRANSLATED}1", "summary": []}
    ours = {"type": "reasoning", "id": "rs_1", "summary": []}
    body = {"model": "m", "input": [foreign, ours], "max_output_tokens": 50, "odd": 1}
    call = parse(Endpoint.RESPONSES, body, 100)
    sent = ResponsesNative().outgoing(call, body, TARGET)
    assert sent.body == {
        "model": "real",
        "input": [ours],
        "max_output_tokens": 9,
        "odd": 1,
        "store": False,
    }
    plain = ResponsesNative().outgoing(ask(), {"model": "m", "input": "hi"}, TARGET).body
    assert (plain["input"], plain["store"]) == ("hi", False)
    streamed = {**body, "stream": True, "stream_options": {"include_obfuscation": False}}
    sent = ResponsesNative().outgoing(call, streamed, TARGET._replace(stream=True))
    assert sent.body["stream"] is True
    assert sent.body["stream_options"] == {"include_obfuscation": False}
    assert body["input"] == [foreign, ours]


@pytest.mark.parametrize("dialect", sorted(CHATS))
def test_what_is_sent_to_a_provider_that_chats(dialect):
    call = ask(instructions="be kind", max_output_tokens=50, user="u", truncation="auto")
    translation = Translation(ResponsesClient(), CHATS[dialect])
    sent = translation.outgoing(call, call.body, TARGET._replace(cap=977))
    assert sent.operation is CHATS[dialect].operation
    assert sent.left_out == ("truncation",)
    assert "be kind" in str(sent.body)
    assert "hi" in str(sent.body)
    assert "977" in str(sent.body)


# As a conversation


def asked(**fields):
    return conversation(ask(**fields).body)


def test_a_text_with_instructions():
    assert asked(instructions="be kind") == Conversation(
        (Turn("system", (Text("be kind"),)), Turn("user", (Text("hi"),)))
    )


def test_what_the_model_said_in_a_row_is_one_turn():
    items = [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "input_text", "text": "u"}]},
        {
            "type": "reasoning",
            "id": f"{TRANSLATED}1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "signed",
        },
        {"type": "reasoning", "id": f"{TRANSLATED}2", "summary": [], "encrypted_content": "sealed"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "another's"},
        {
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "a"},
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [
                {"type": "input_text", "text": "two"},
                {"type": "input_image", "image_url": DATA},
            ],
        },
    ]
    assert asked(input=items).turns == (
        Turn("system", (Text("d"),)),
        Turn("user", (Text("u"),)),
        Turn(
            "assistant",
            (
                Reasoning("hm", "signed"),
                Reasoning("", "", "sealed"),
                Reasoning("", "", ""),
                Text("a"),
                Declined("no"),
                ToolUse("c1", "f", "{}"),
                ToolUse("c2", "g", ""),
            ),
        ),
        Turn("user", (ToolResult("c1", (Text("one"),)),)),
        Turn(
            "user",
            (ToolResult("c2", (Text("two"), Media("image", "image/png", "iVBORw0KGgo="))),),
        ),
    )


def test_media():
    parts = [
        {"type": "input_image", "image_url": "https://h/i.png", "detail": "low"},
        {"type": "input_file", "file_data": "data:application/pdf;base64,JV", "filename": "f.pdf"},
        {"type": "input_file", "file_data": "JV"},
        {"type": "input_file", "file_url": "https://h/f.pdf"},
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
    ]
    assert asked(**item(content=parts)).turns[0].parts == (
        Media("image", "", "", "https://h/i.png", detail="low"),
        Media("document", "application/pdf", "JV", name="f.pdf"),
        Media("document", "application/pdf", "JV"),
        Media("document", "application/pdf", "", "https://h/f.pdf"),
        Media("audio", "audio/mp3", "UklG"),
    )


def test_settings():
    form = {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}
    found = asked(
        tools=[TOOL],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        temperature=1,
        top_p=0.5,
        text={"format": form, "verbosity": "medium"},
        reasoning={"effort": "high", "summary": "detailed", "mode": "standard"},
        safety_identifier="s",
        include=["reasoning.encrypted_content"],
        truncation="disabled",
        store=False,
        metadata={"a": "b"},
        max_output_tokens=5,
    )
    assert found.tools == (Tool("f", "", {"type": "object"}, strict=False),)
    assert found.tool_choice == ToolChoice("required", "f")
    assert (found.parallel, found.temperature, found.top_p) == (False, 1.0, 0.5)
    assert found.format == Format({"type": "object"}, "a", strict=True)
    assert (found.effort, found.user, found.other) == ("high", "s", ("metadata",))
    assert asked(text={"format": {"type": "json_object"}}).format == Format(None)
    assert asked(text={"format": {"type": "text"}}).format is None
    assert asked(tool_choice="none").tool_choice == ToolChoice("none")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"strange": 1}, "strange"),
    ],
)
def test_what_no_other_dialect_can_do_is_named(fields, name):
    assert asked(**fields).other == (name,)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "custom", "name": "c"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice"),
        (item(type="mcp_call"), "input[0].type"),
        (item(type="custom_tool_call", call_id="c", name="n", input="x"), "input[0].type"),
        (item(content=[{"type": "input_image", "file_id": "f"}]), "input[0].content[0]"),
        (item(content=[{"type": "input_file", "file_id": "f"}]), "input[0].content[0]"),
        (item(content=[{"type": "input_video"}]), "input[0].content[0]"),
    ],
)
def test_what_cannot_be_taken_to_another_provider_is_refused(fields, param):
    with pytest.raises(BadRequest) as caught:
        asked(**fields)
    assert caught.value.param == param
