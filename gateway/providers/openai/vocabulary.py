"""The words of the OpenAI dialect: what is a word of the API, and what is a client's own. Pure.

A string is left out of the inspection view only where its value is in `VALUES`; an object's key
only where it is in `FIELDS` (of the API) or `SCHEMA_FIELDS` (of JSON Schema).
"""

from collections.abc import Mapping

from gateway.providers.walk import words

FIELDS = words(
    # requests
    "model messages role content name stream stream_options include_usage include_obfuscation n "
    "temperature top_p max_tokens max_completion_tokens stop seed user safety_identifier metadata "
    "tools tool_choice functions function_call response_format json_schema schema strict "
    "parallel_tool_calls logprobs top_logprobs logit_bias frequency_penalty presence_penalty "
    "prediction service_tier store reasoning_effort verbosity modalities audio voice format "
    "web_search_options search_context_size user_location approximate city country region timezone "
    "prompt_cache_key prompt_cache_retention prompt_cache_options prompt_cache_breakpoint "
    "cache_control ttl mode "
    "moderation policy input output dimensions encoding_format best_of previous_response_id "
    "conversation prompt top_k min_p repetition_penalty "
    # messages, parts, tools
    "type text refusal image_url url detail input_audio data file file_id file_data filename "
    "tool_calls tool_call_id id index function arguments description parameters custom grammar "
    "definition syntax allowed_tools reasoning reasoning_content thinking extra_content google "
    "thought_signature "
    # answers
    "object created choices message delta finish_reason usage system_fingerprint prompt_tokens "
    "completion_tokens total_tokens prompt_tokens_details completion_tokens_details cached_tokens "
    "reasoning_tokens audio_tokens text_tokens image_tokens cache_write_tokens "
    "accepted_prediction_tokens rejected_prediction_tokens token bytes logprob annotations "
    "url_citation start_index end_index title expires_at transcript embedding obfuscation "
    # responses: requests and their items
    "instructions max_output_tokens max_tool_calls previous_response_id background include "
    "truncation effort summary generate_summary context access_programs context_management image "
    "call_id status phase namespace caller caller_id encrypted_content file_url async "
    "allowed_callers defer_loading output_schema "
    # responses: answers and events
    "created_at completed_at error code message param incomplete_details reason input_tokens "
    "input_tokens_details output_tokens output_tokens_details cache_write_tokens_details "
    "tool_usage image_gen web_search num_requests action queries query result revised_prompt "
    "container_id response item item_id part output_index content_index summary_index "
    "annotation annotation_index sequence_number "
    # images and audio
    "size quality style output_format output_compression complexity frame_count frame_duration_ms "
    "partial_images svg svg_usage b64_json response_format stream_format speed language languages "
    "keywords timestamp_granularities chunking_strategy known_speaker_names content_type "
    "known_speaker_references segments words word task duration start end seek avg_logprob "
    "compression_ratio no_speech_prob speaker seconds input_token_details "
    # completions and moderations
    "echo suffix tokens token_logprobs text_offset results flagged categories category_scores "
    "category_applied_input_types harassment harassment/threatening hate hate/threatening illicit "
    "illicit/violent self-harm self-harm/intent self-harm/instructions sexual sexual/minors "
    "violence violence/graphic"
)

VALUES: Mapping[str, frozenset[str]] = {
    key: words(values)
    for key, values in {
        "role": "system developer user assistant tool function",
        "type": "text refusal image_url input_audio file function custom grammar json_object "
        "json_schema content allowed_tools approximate url_citation ephemeral input_text "
        "output_text input_image input_file message function_call function_call_output "
        "custom_tool_call custom_tool_call_output reasoning summary_text reasoning_text direct "
        "container_file_citation file_citation file_path web_search web_search_call search",
        "object": "chat.completion chat.completion.chunk list embedding model response "
        "text_completion",
        "status": "in_progress completed incomplete failed searching",
        "reason": "max_output_tokens content_filter",
        "phase": "commentary final_answer",
        "truncation": "auto disabled",
        "effort": "none minimal low medium high xhigh max",
        "summary": "auto concise detailed",
        "context": "auto current_turn all_turns",
        "include": "reasoning.encrypted_content message.output_text.logprobs "
        "message.input_image.image_url web_search_call.action.sources web_search_call.results "
        "file_search_call.results code_interpreter_call.outputs "
        "computer_call_output.output.image_url",
        "finish_reason": "stop length tool_calls content_filter function_call",
        "detail": "auto low high original",
        "format": "wav mp3 aac flac opus pcm16",
        "response_format": "json text srt vtt verbose_json diarized_json url b64_json mp3 opus aac "
        "flac wav pcm",
        "stream_format": "sse audio",
        "size": "auto 1024x1024 1536x1024 1024x1536 256x256 512x512 1792x1024 1024x1792",
        "quality": "low medium high xhigh max auto standard hd",
        "style": "vivid natural",
        "background": "transparent opaque auto",
        "output_format": "png webp jpeg gif svg",
        "task": "transcribe",
        "voice": "alloy ash ballad coral echo fable nova onyx sage shimmer verse",
        "mode": "auto required explicit implicit score block",
        "syntax": "lark regex",
        "ttl": "30m 12h",
        "tool_choice": "none auto required",
        "function_call": "none auto",
        "modalities": "text audio",
        "encoding_format": "float base64",
        "reasoning_effort": "none minimal low medium high xhigh max",
        "verbosity": "low medium high",
        "search_context_size": "low medium high",
        "service_tier": "auto default flex scale priority fast",
        "prompt_cache_retention": "in_memory 24h",
    }.items()
}

NUMBERS = words(
    "created expires_at seed max_tokens max_completion_tokens prompt_tokens completion_tokens "
    "total_tokens cached_tokens reasoning_tokens text_tokens image_tokens audio_tokens "
    "cache_write_tokens accepted_prediction_tokens rejected_prediction_tokens max_output_tokens "
    "input_tokens output_tokens created_at completed_at sequence_number"
)
"""Fields whose long numbers are numbers; anywhere else one may be a card's or a person's."""

SCHEMA_FIELDS = words(
    "type properties required items description title enum const default examples format pattern "
    "anyOf oneOf allOf not if then else additionalProperties patternProperties propertyNames "
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems "
    "maxItems uniqueItems prefixItems contains minProperties maxProperties nullable strict "
    "$schema $id $ref $defs $comment definitions dependentRequired dependentSchemas readOnly "
    "writeOnly deprecated contentEncoding contentMediaType unevaluatedProperties"
)

SCHEMA_VALUES: Mapping[str, frozenset[str]] = {
    "type": words("object string number integer boolean array null"),
    "format": words(
        "date-time date time duration email hostname ipv4 ipv6 uri uuid regex int32 int64"
    ),
    "$schema": frozenset(
        {
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft/2020-12/schema",
        }
    ),
}

TEXT_PARTS: Mapping[str, str] = {
    "text": "text",
    "input_text": "text",
    "output_text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
"""The types of content part that are text, and the field that holds it."""

KNOWN_PARTS = frozenset(
    {*TEXT_PARTS, "image_url", "input_image", "input_audio", "file", "input_file"}
)
