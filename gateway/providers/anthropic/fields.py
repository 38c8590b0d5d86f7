"""Each field of the Anthropic dialect, listed once, and how it is treated. Pure.

What is listed nowhere is an unknown field: it travels where a policy lets it and no hard budget
applies, since the provider may charge for it. Fields of features that need a beta header are
listed where they stand at the top of a body; inside, only those of the API itself are.
"""

from collections.abc import Mapping
from typing import Any

from gateway.exchange import Body, Endpoint
from gateway.providers.openai.fields import Treatment
from gateway.providers.walk import words


def _table(names: Mapping[Treatment, str]) -> dict[str, Treatment]:
    return {name: treatment for treatment, listed in names.items() for name in listed.split()}


MESSAGES = _table(
    {
        Treatment.LIFTED: "model messages system max_tokens stream tools tool_choice temperature "
        "metadata",
        # diagnostics compares a request with an earlier one, and brings nothing of it in.
        Treatment.HARMLESS: "diagnostics output_config stop_sequences thinking top_k top_p",
        # compaction and context_management let the provider run the model once more, on another
        # text; a workspace, a profile and a policy of billing say whose prices and region count.
        Treatment.PRICED: "billing_policy cache_control compaction context_management "
        "fallback_credit_token inference_geo service_tier speed user_profile_id workspace_id",
        # fallbacks let the provider answer with another model.
        Treatment.BY_REFERENCE: "container fallbacks mcp_servers thread",
    }
)

# To count is free of charge, whatever the message would cost.
COUNT_TOKENS = _table(
    {
        Treatment.LIFTED: "model messages system tools tool_choice",
        Treatment.HARMLESS: "billing_policy cache_control compaction context_management "
        "output_config speed thinking user_profile_id workspace_id",
        Treatment.BY_REFERENCE: "mcp_servers",
    }
)

MESSAGE = words("role content")
BLOCK = words(
    # what a message holds
    "type text citations source title context content thinking signature data id name input "
    "toolset_name caller tool_use_id is_error tool_name transformations file_id "
    # sources, transformations, callers, citations
    "media_type url oversized_image tool_id enabled cited_text document_index document_title "
    "start_char_index end_char_index start_page_number end_page_number start_block_index "
    "end_block_index search_result_index encrypted_index "
    # what tools of the provider answered
    "encrypted_content page_age retrieved_at error_code error_message return_code stdout stderr "
    "encrypted_stdout file_type num_lines start_line total_lines is_file_update lines new_lines "
    "new_start old_lines old_start tool_references "
    # the state of a browser
    "tabs state_changes tab_id active download_id path size_bytes error"
)
TOOL = words(
    "type name description input_schema input_examples strict allowed_callers defer_loading "
    "eager_input_streaming "
    # tools of the provider's own
    "configs max_characters max_uses max_content_tokens allowed_domains blocked_domains "
    "user_location city country region timezone citations enabled url_sources client_tool_results "
    "server_tool_results user_input tools response_inclusion use_cache"
)
OPTIONS = words(
    "type user_id budget_tokens display effort format schema name disable_parallel_tool_use "
    "previous_message_id"
)
"""What stands in the options of a request: how to think, to answer, to choose a tool."""

PRICED_INSIDE = frozenset({"cache_control"})
"""Fields of blocks and tools that make the provider charge for a cache write."""

CLIENT_TOOLS = (None, "custom")
"""The types of tools that the client defines and runs; every other is known to the provider."""

_OPEN = words("input input_schema input_examples schema configs")
"""What stands below these is named by the client or the model, or is JSON Schema."""

_INSIDE: Mapping[str, frozenset[str]] = {
    "system": BLOCK,
    "tools": TOOL,
    **dict.fromkeys(("metadata", "thinking", "output_config", "tool_choice"), OPTIONS),
    "diagnostics": OPTIONS,
}
_UNSET: tuple[Any, ...] = (None, False, "", [], {})
_FREE_OF_CHARGE: Mapping[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "standard_only"),
    "speed": ("standard",),
    "inference_geo": ("global",),
}
_TABLES = {Endpoint.MESSAGES: MESSAGES, Endpoint.COUNT_TOKENS: COUNT_TOKENS}


def unknown(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields of a request body that no table lists."""
    return tuple(name for name in body if name not in _TABLES[endpoint])


def priced(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields that may change the price, as they are set."""
    return tuple(
        name
        for name, value in body.items()
        if _TABLES[endpoint].get(name) is Treatment.PRICED and _costs(name, value)
    )


def references(body: Body, endpoint: Endpoint) -> tuple[str, ...]:
    """Return the fields that bring in what nobody here can read; unset ones bring in nothing."""
    return tuple(
        name
        for name, value in body.items()
        if _TABLES[endpoint].get(name) is Treatment.BY_REFERENCE and value not in _UNSET
    )


def inside(body: Body, endpoint: Endpoint) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the unlisted fields inside messages, tools and options: the unknown, the priced.

    They are named with dots and without indexes. Counting tokens, nothing is priced.
    """
    found: set[str] = set()
    for message in body["messages"]:
        found.update(f"messages.{name}" for name in message if name not in MESSAGE)
        if not isinstance(message["content"], str):
            _gather(message["content"], BLOCK, "messages.content", found)
    for name, listed in _INSIDE.items():
        if name in body:
            _gather(body[name], listed, name, found)
    if not found:
        return (), ()
    priced = {name for name in found if name.rsplit(".", 1)[1] in PRICED_INSIDE}
    costs = () if endpoint is Endpoint.COUNT_TOKENS else tuple(sorted(priced))
    return tuple(sorted(found - priced)), costs


def _gather(node: object, listed: frozenset[str], where: str, found: set[str]) -> None:
    if isinstance(node, list):
        for item in node:
            _gather(item, listed, where, found)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name in listed:
                if name not in _OPEN:
                    _gather(child, listed, f"{where}.{name}", found)
            elif name not in PRICED_INSIDE or child is not None:
                found.add(f"{where}.{name}")


def _costs(name: str, value: object) -> bool:
    return value is not None and value not in _FREE_OF_CHARGE.get(name, ())
