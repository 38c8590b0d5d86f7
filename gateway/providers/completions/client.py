"""The completions API, client side: a request body becomes a Call. Pure."""

from gateway.exchange import Body, Call, Endpoint
from gateway.providers import typed
from gateway.providers.fault import BadRequest
from gateway.providers.openai import fields, leaves
from gateway.providers.openai.client import CHOICES_MAX, check_texts, include_usage
from gateway.providers.walk import inspected

_TOKENS_MAX = (1 << 31) - 1


def parse(endpoint: Endpoint, body: Body, size: int) -> Call:
    """Return the call that a body of `size` bytes asks for; BadRequest names what is wrong with it.

    `n` is how many completions are written, and paid for: `n` or `best_of`, for each prompt.
    """
    check_texts(body.get("prompt"), "prompt")
    typed.string(body.get("suffix") or "", "suffix")
    typed.flag(body, "echo")
    stream = typed.flag(body, "stream")
    wants_usage = include_usage(body, stream=stream)
    asked = typed.count(body, "n", CHOICES_MAX) or 1
    written = max(asked, typed.count(body, "best_of", CHOICES_MAX) or 1)
    written *= _prompts(body["prompt"])
    if stream and written > CHOICES_MAX:
        raise BadRequest(f"a stream is of at most {CHOICES_MAX} completions", "prompt")
    model = typed.name(body.get("model"), "model")
    options = typed.record(body.get("stream_options"), "stream_options")
    inside = sorted(options.keys() - fields.STREAM_OPTIONS)
    return Call(
        endpoint=endpoint,
        model=model,
        body=body,
        size=size,
        view=inspected(leaves.view, body, endpoint),
        stream=stream,
        include_usage=wants_usage,
        n=written,
        max_output_tokens=typed.count(body, "max_tokens", _TOKENS_MAX),
        roles=("user",),
        temperature=typed.number(body, "temperature"),
        user=typed.text(body, "user"),
        unknown_fields=(
            *fields.unknown(body, endpoint),
            *(f"stream_options.{name}" for name in inside),
        ),
        priced_fields=fields.priced(body, endpoint),
    )


def _prompts(prompt: str | list[object]) -> int:
    """Return how many texts go on: each of a list, but a list of token numbers is one."""
    return len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
