"""Each field of the OpenAI dialect, listed once, and how it is treated. Pure.

What is listed nowhere is an unknown field: it travels where a policy lets it and no hard budget
applies, since a provider may charge for it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from gateway.exchange import Body, Endpoint
from gateway.providers.walk import words


class Treatment(Enum):
    """What becomes of a field."""

    LIFTED = "read and checked here: facts, money or enforcement need it"
    HARMLESS = "travels as it is; its strings are inspected"
    PRICED = "may change what a token costs, or add a charge"
    BY_REFERENCE = "brings in what the provider keeps or fetches: nobody here can read it"


def _table(names: Mapping[Treatment, str]) -> dict[str, Treatment]:
    return {name: treatment for treatment, listed in names.items() for name in listed.split()}


CHAT = _table(
    {
        Treatment.LIFTED: "model messages stream stream_options n max_tokens max_completion_tokens "
        "temperature tools tool_choice functions function_call user safety_identifier",
        # top_k, min_p and repetition_penalty are not OpenAI's, but most compatible servers share
        # them, and no cap or price depends on them.
        Treatment.HARMLESS: "frequency_penalty logit_bias logprobs metadata min_p "
        "parallel_tool_calls presence_penalty prompt_cache_key reasoning_effort "
        "repetition_penalty response_format seed stop top_k top_logprobs top_p verbosity",
        Treatment.PRICED: "audio best_of modalities moderation prediction prompt_cache_options "
        "prompt_cache_retention service_tier web_search_options",
        # models, provider, route and plugins let a router on the way choose another model.
        Treatment.BY_REFERENCE: "container conversation data_sources mcp_servers models plugins "
        "previous_response_id prompt provider route store tool_resources",
    }
)

EMBEDDINGS = _table(
    {
        Treatment.LIFTED: "model input user",
        Treatment.HARMLESS: "dimensions encoding_format",
        Treatment.PRICED: "service_tier",
    }
)

COMPLETIONS = _table(
    {
        Treatment.LIFTED: "model prompt stream stream_options n best_of max_tokens temperature "
        "user",
        Treatment.HARMLESS: "echo frequency_penalty logit_bias logprobs min_p presence_penalty "
        "repetition_penalty seed stop suffix top_k top_p",
    }
)

MODERATIONS = _table({Treatment.LIFTED: "model input"})

# What an image costs depends on all of these, and on the model.
IMAGES = _table(
    {
        Treatment.LIFTED: "model prompt n stream response_format user safety_identifier",
        Treatment.HARMLESS: "background moderation output_compression output_format style",
        Treatment.PRICED: "complexity frame_count frame_duration_ms partial_images quality size "
        "svg",
    }
)

SPEECH = _table(
    {
        Treatment.LIFTED: "model input voice response_format stream_format",
        Treatment.HARMLESS: "instructions speed",
    }
)

TRANSCRIPTIONS = _table(
    {
        Treatment.LIFTED: "model file response_format stream temperature",
        Treatment.HARMLESS: "chunking_strategy include keywords known_speaker_names language "
        "languages prompt timestamp_granularities",
        Treatment.BY_REFERENCE: "known_speaker_references",
    }
)

RESPONSES = _table(
    {
        Treatment.LIFTED: "model input instructions stream stream_options tools tool_choice "
        "temperature max_output_tokens reasoning text store user safety_identifier",
        Treatment.HARMLESS: "include max_tool_calls metadata parallel_tool_calls prompt_cache_key "
        "top_logprobs top_p truncation",
        Treatment.PRICED: "access_programs context_management image moderation "
        "prompt_cache_options prompt_cache_retention service_tier",
        Treatment.BY_REFERENCE: "background conversation previous_response_id prompt",
    }
)

MESSAGE = words(
    "role content name refusal tool_calls tool_call_id function_call audio annotations "
    "reasoning reasoning_content extra_content"
)
PART = words("type text refusal image_url input_audio file")
TOOL = words("type function custom")
FUNCTION = words("name description parameters strict")
STREAM_OPTIONS = words("include_usage include_obfuscation")
ITEM = words(
    "type id role content status phase call_id name namespace arguments input output summary "
    "encrypted_content caller async"
)
ITEM_PART = words(
    "type text refusal annotations logprobs image_url detail file_id file_data file_url filename "
    "input_audio"
)
ITEM_TOOL = words(
    "type name description parameters strict format allowed_callers defer_loading output_schema "
    "async"
)
REASONING = words("effort summary generate_summary context")
TEXT = words("format verbosity")
TEXT_FORMAT = words("type name description schema strict")
"""What stands in the items, tools and options of a request for a response."""

CLIENT_TOOLS = frozenset({"function", "custom"})
"""Tools that the client runs; every other type runs at the provider."""

PRICED_INSIDE = frozenset({"prompt_cache_breakpoint", "cache_control"})
"""Fields of messages, parts and tools that make the provider charge for a cache write."""

_UNSET: tuple[Any, ...] = (None, False, "", [], {})
FREE_OF_CHARGE: Mapping[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "prompt_cache_retention": ("in_memory",),
    "best_of": (1,),
}
_TABLES = {
    Endpoint.CHAT: CHAT,
    Endpoint.EMBEDDINGS: EMBEDDINGS,
    Endpoint.COMPLETIONS: COMPLETIONS,
    Endpoint.MODERATIONS: MODERATIONS,
    Endpoint.IMAGES: IMAGES,
    Endpoint.SPEECH: SPEECH,
    Endpoint.TRANSCRIPTIONS: TRANSCRIPTIONS,
    Endpoint.RESPONSES: RESPONSES,
}


def _named(treatment: Treatment) -> dict[Endpoint, frozenset[str]]:
    return {
        endpoint: frozenset(name for name, found in table.items() if found is treatment)
        for endpoint, table in _TABLES.items()
    }


_LISTED = {endpoint: frozenset(table) for endpoint, table in _TABLES.items()}
_PRICED = _named(Treatment.PRICED)
_BY_REFERENCE = _named(Treatment.BY_REFERENCE)


def unknown(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields of a request body that no table lists."""
    listed = _LISTED[endpoint]
    return () if listed.issuperset(body) else tuple(name for name in body if name not in listed)


def priced(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields that may change the price, as they are set."""
    names = _PRICED[endpoint]
    if names.isdisjoint(body):
        return ()
    return tuple(name for name in body if name in names and _costs(name, body[name]))


def references(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields that bring in what nobody here can read; unset ones bring in nothing."""
    names = _BY_REFERENCE[endpoint]
    if names.isdisjoint(body):
        return ()
    return tuple(name for name in body if name in names and body[name] not in _UNSET)


def _costs(name: str, value: object) -> bool:
    return value is not None and value not in FREE_OF_CHARGE.get(name, ())
