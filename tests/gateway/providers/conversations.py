"""What clients ask, in no vendor's words: enough to fill every field of a provider's request."""

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

SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
WEATHER = Tool("weather", "The weather of a town.", SCHEMA)
CLOCK = Tool("clock", "", {"type": "object", "properties": {}})
PNG = Media("image", "image/png", "iVBORw0KGgo=")
PDF = Media("document", "application/pdf", "JVBERi0=", name="Report (1).pdf")
HELLO = Turn("user", (Text("Hello"),))
TALK = (
    Turn("system", (Text("Be brief."),)),
    Turn("user", (Text("What is this? "), PNG, PDF)),
    Turn("system", (Text("Be kind."),)),
    Turn(
        "assistant",
        (
            Reasoning("Hm.", "gemini:c2lnbmVk"),
            Text("Let me look."),
            ToolUse("call_1", "weather", '{"town":"Oslo"}'),
            ToolUse("call_2", "clock", ""),
        ),
    ),
    Turn("user", (ToolResult("call_1", (Text("Sunny, "), Text("21"))),)),
    Turn("user", (ToolResult("call_2", (Text("no clock"),), failed=True), Text("And now?"))),
    Turn("assistant", (Declined("I will not say."), Text(""))),
    HELLO,
)


def asked(*turns, **more):
    """Return a conversation of these turns, or of a short one."""
    return Conversation(turns or (HELLO,), **more)


FULL = asked(
    *TALK,
    tools=(WEATHER, CLOCK),
    tool_choice=ToolChoice("auto"),
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    stop=("END", "STOP"),
    format=Format(SCHEMA, "answer", "The town."),
    effort="low",
)
