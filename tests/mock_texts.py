"""What the mock provider says where it is given a text: completions, moderations."""

from typing import Any

import orjson

from tests.mock_dialect import DONE, Production

Body = dict[str, Any]
CATEGORIES = {
    "harassment": False,
    "harassment/threatening": False,
    "hate": False,
    "hate/threatening": False,
    "illicit": False,
    "illicit/violent": False,
    "self-harm": False,
    "self-harm/instructions": False,
    "self-harm/intent": False,
    "sexual": False,
    "sexual/minors": False,
    "violence": False,
    "violence/graphic": False,
}


def continued(body: Body) -> Body:
    """Return what a chat would have been asked: the last prompt, choices for all of them."""
    prompt = body["prompt"]
    prompts = prompt if isinstance(prompt, list) else [prompt]
    n = max(body.get("n") or 1, body.get("best_of") or 1) * len(prompts)
    messages = [{"role": "user", "content": text} for text in prompts]
    return {"messages": messages, "n": n, "max_tokens": body.get("max_tokens")}


def completion_of(chat: Body) -> Body:
    """Return a chat's answer in the form of this API."""
    choices = [
        {
            "index": choice["index"],
            "text": choice["message"]["content"],
            "logprobs": None,
            "finish_reason": choice["finish_reason"],
        }
        for choice in chat["choices"]
    ]
    return {**chat, "id": "cmpl-mock", "object": "text_completion", "choices": choices}


def completion_events(answer: Body, production: Production) -> list[bytes]:
    """Return the events of a stream that says it word by word."""
    head = {name: answer[name] for name in ("id", "object", "created", "model")}
    told = [
        [{"index": index, "text": word, "logprobs": None, "finish_reason": None}]
        for index, words in enumerate(production.choices)
        for word in words
    ]
    told += [
        [{"index": index, "text": "", "logprobs": None, "finish_reason": production.finish}]
        for index in range(len(production.choices))
    ]
    events = [{**head, "choices": choices} for choices in told]
    if answer["usage"]:
        events.append({**head, "choices": [], "usage": answer["usage"]})
    return [*(b"data: " + orjson.dumps(event) + b"\n\n" for event in events), DONE]


def moderation(model: str, results: int) -> Body:
    """Return an answer that finds nothing in each of so many inputs."""
    found = {
        "flagged": False,
        "categories": CATEGORIES,
        "category_scores": dict.fromkeys(CATEGORIES, 0.01),
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
    return {"id": "modr-mock", "model": model, "results": [found] * results}
