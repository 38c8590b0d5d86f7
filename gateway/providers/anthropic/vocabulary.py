"""The words of the Anthropic dialect: what is a word of the API, and what is anybody's own. Pure.

A string is left out of the inspection view only where its value is in `VALUES`; an object's key
only where it is in `FIELDS` (of the API) or is a keyword of JSON Schema.
"""

from collections.abc import Mapping

from gateway.providers.anthropic import fields
from gateway.providers.walk import words

_ANSWERED = words(
    "id type role model content container expires_at skills skill_id version diagnostics "
    "cache_miss_reason stop_reason stop_sequence stop_details category explanation usage "
    # usage
    "input_tokens output_tokens cache_creation_input_tokens cache_read_input_tokens cache_creation "
    "ephemeral_5m_input_tokens ephemeral_1h_input_tokens cache_missed_input_tokens "
    "output_tokens_details thinking_tokens server_tool_use web_search_requests web_fetch_requests "
    "inference_geo service_tier speed "
    # errors
    "error message request_id"
)

FIELDS = (
    frozenset(fields.MESSAGES)
    | fields.COUNT_TOKENS.keys()
    | fields.MESSAGE
    | fields.BLOCK
    | fields.TOOL
    | fields.OPTIONS
    | fields.PRICED_INSIDE
    | words("ttl authorization_token tool_configuration allowed_tools edits instructions trigger")
    | _ANSWERED
)

RESULTS = words(
    "tool_result web_search_tool_result web_fetch_tool_result code_execution_tool_result "
    "bash_code_execution_tool_result text_editor_code_execution_tool_result tool_search_tool_result"
)

KNOWN_BLOCKS = (
    words(
        "text image document search_result thinking redacted_thinking tool_use server_tool_use "
        "container_upload tool_reference browser_state "
        # what stands in the answers of the provider's own tools
        "web_search_result web_fetch_result code_execution_result encrypted_code_execution_result "
        "code_execution_output bash_code_execution_result bash_code_execution_output "
        "text_editor_code_execution_view_result text_editor_code_execution_create_result "
        "text_editor_code_execution_str_replace_result tool_search_tool_search_result"
    )
    | RESULTS
    | {f"{name}_error" for name in RESULTS}
)
"""The types of what may stand in a content; all others are read as JSON like any other."""

VALUES: Mapping[str, frozenset[str]] = {
    "type": KNOWN_BLOCKS
    | words(
        "message custom tool auto any none ephemeral json_schema enabled disabled adaptive "
        "between_tools base64 url file content direct object refusal approximate all only except "
        "char_location page_location content_block_location search_result_location "
        "web_search_result_location tab_opened download_started download_completed download_failed "
        "anthropic model_changed system_changed tools_changed messages_changed "
        "previous_message_not_found unavailable"
    ),
    "role": words("user assistant system"),
    "media_type": words("image/jpeg image/png image/gif image/webp application/pdf text/plain"),
    "file_type": words("text image pdf"),
    "oversized_image": words("downsize error"),
    "ttl": words("5m 1h"),
    "effort": words("low medium high xhigh max"),
    "display": words("summarized omitted"),
    "service_tier": words("auto standard_only standard priority batch"),
    "speed": words("standard fast"),
    "allowed_callers": words("direct"),
    "response_inclusion": words("full excluded"),
    "stop_reason": words(
        "end_turn max_tokens stop_sequence tool_use pause_turn refusal "
        "model_context_window_exceeded"
    ),
    "category": words("cyber bio frontier_llm reasoning_extraction general_harms"),
}

NUMBERS = words(
    "max_tokens budget_tokens max_content_tokens max_characters input_tokens output_tokens "
    "cache_creation_input_tokens cache_read_input_tokens ephemeral_5m_input_tokens "
    "ephemeral_1h_input_tokens cache_missed_input_tokens thinking_tokens start_char_index "
    "end_char_index size_bytes"
)
"""Fields whose long numbers are numbers; anywhere else one may be a card's or a person's."""
