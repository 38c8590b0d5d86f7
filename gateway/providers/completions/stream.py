"""A completion's stream: chunks as of a chat, with a text in place of a message. Pure."""

import orjson

from gateway.exchange import Answer, Body
from gateway.providers import sse
from gateway.providers.completions import answers
from gateway.providers.openai.answering import DONE_EVENT
from gateway.providers.openai.stream import ChatStream


class CompletionStream(ChatStream):
    """One stream of a provider, read as that of a chat."""

    def said(self, choice: Body) -> int:
        """Return the bytes of text that a piece of a choice adds."""
        text = choice.get("text")
        return len(text.encode()) if isinstance(text, str) else 0

    def assemble(self) -> Answer:
        """Return the gathered answer; BadAnswer where the provider told none."""
        gathered = self.gathered()
        choices = [
            {"text": "", **{name: one[name] for name in one if name != "message"}}
            for one in gathered["choices"]
        ]
        body = {**gathered, "object": "text_completion", "choices": choices}
        return answers.answer(body, self.usage)


def render(body: Body, *, keep_usage: bool) -> bytes:
    """Return a whole answer as a stream: each choice in one chunk, and one for its end."""
    head = {name: value for name, value in body.items() if name not in {"choices", "usage"}}
    events = []
    for choice in body["choices"]:
        events.append({**head, "choices": [{**choice, "finish_reason": None}]})
        events.append({**head, "choices": [{**choice, "text": "", "logprobs": None}]})
    if keep_usage and body.get("usage"):
        events.append({**head, "choices": [], "usage": body["usage"]})
    return b"".join(sse.encode(orjson.dumps(event)) for event in events) + DONE_EVENT
