"""What one dialect says of a message, or of two things at once, and another has no place for."""

import pytest

from gateway.exchange import Call, Endpoint, View
from gateway.providers.conversation import ToolChoice, Turn
from gateway.providers.dialect import Target
from gateway.providers.dialects import CHATS, between
from tests.gateway.providers.conversations import CLOCK, HELLO, asked

OPENAIS = ("openai", "azure-openai", "simulated")
MODELS = {"bedrock": "eu.anthropic.claude-x", "gemini": "gemini-3-flash"}
CLAUDES = ("anthropic", "bedrock")
FORCED = (ToolChoice("required"), ToolChoice("required", "clock"))


def written(dialect, conversation):
    target = Target(MODELS.get(dialect, "m"), "https://x/v1", 9, stream=False)
    return CHATS[dialect].written(conversation, target)


@pytest.mark.parametrize("dialect", CHATS)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_who_speaks_is_named_where_there_is_a_place_for_it(dialect, role):
    turn = Turn(role, HELLO.parts, "ann")
    found = written(dialect, asked(turn, HELLO))
    assert found.left_out == (() if dialect in OPENAIS else ("name",))
    assert ("ann" in str(found.body)) is (dialect in OPENAIS)
    assert written(dialect, asked(HELLO)).left_out == ()


@pytest.mark.parametrize("dialect", sorted(set(CHATS) - set(OPENAIS)))
def test_a_name_is_told_as_the_field_of_a_message(dialect):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi", "name": "ann"}]}
    sent = outgoing(Endpoint.CHAT, dialect, body)
    assert (sent.left_out, sent.beside) == (("messages.name",), {})


def outgoing(endpoint, dialect, body):
    call = Call(endpoint, "m", body, 0, View((), (), ()))
    target = Target(MODELS.get(dialect, "m"), "https://x/v1", 9, stream=False)
    return between(endpoint, dialect).outgoing(call, body, target)


@pytest.mark.parametrize("dialect", CLAUDES)
@pytest.mark.parametrize("choice", FORCED)
def test_claude_does_not_think_before_a_call_that_must_be(dialect, choice):
    found = written(dialect, asked(tools=(CLOCK,), tool_choice=choice, effort="low"))
    assert found.left_out == ("effort",)
    assert found.beside == {"effort": "tool_choice"}
    assert found.body == written(dialect, asked(tools=(CLOCK,), tool_choice=choice)).body


@pytest.mark.parametrize("dialect", CLAUDES)
@pytest.mark.parametrize(
    ("choice", "effort"),
    [(ToolChoice("auto"), "low"), (ToolChoice("none"), "high"), (None, "max")]
    + [(choice, effort) for choice in FORCED for effort in ("", "none")],
)
def test_it_does_either_of_the_two(dialect, choice, effort):
    found = written(dialect, asked(tools=(CLOCK,), tool_choice=choice, effort=effort))
    assert (found.left_out, found.beside) == ((), {})


@pytest.mark.parametrize("dialect", sorted(set(CHATS) - set(CLAUDES)))
@pytest.mark.parametrize("choice", FORCED)
def test_others_do_both(dialect, choice):
    found = written(dialect, asked(tools=(CLOCK,), tool_choice=choice, effort="low"))
    assert (found.left_out, found.beside) == ((), {})


def test_a_temperature_goes_to_claude_where_it_does_not_think():
    both = {"tools": (CLOCK,), "tool_choice": FORCED[0], "temperature": 0.5}
    for dialect in CLAUDES:
        found = written(dialect, asked(**both, effort="low"))
        assert found.left_out == ("effort",)
        assert "0.5" in str(found.body)


@pytest.mark.parametrize(
    ("endpoint", "fields", "names"),
    [
        (
            Endpoint.CHAT,
            {
                "messages": [{"role": "user", "content": "Hi"}],
                "tools": [{"type": "function", "function": {"name": "clock"}}],
                "reasoning_effort": "low",
            },
            ("reasoning_effort", "tool_choice"),
        ),
        (
            Endpoint.RESPONSES,
            {
                "input": "Hi",
                "tools": [{"type": "function", "name": "clock", "parameters": {}}],
                "reasoning": {"effort": "low"},
            },
            ("reasoning.effort", "tool_choice"),
        ),
    ],
)
@pytest.mark.parametrize("dialect", CLAUDES)
def test_each_client_hears_both_in_its_own_words(endpoint, fields, names, dialect):
    sent = outgoing(endpoint, dialect, {"model": "m", "tool_choice": "required", **fields})
    assert (sent.left_out, sent.beside) == ((names[0],), {names[0]: names[1]})
