"""An address planted wherever a text can stand in a JSON body, to see what becomes of it."""

import json

from tests import books, estate

MAIL = "maria.rossi@example.com"


def house(policy, *deployments, budgets=()):
    """Make a house under one policy; deployments as (base URL or None for simulated, model)."""
    served = [
        (estate.provider(url) if url else estate.simulated(), model) for url, model in deployments
    ]
    route = estate.route(*served, price=books.PRICE, max_output=100_000)
    return estate.estate(route, policy=policy, budgets=list(budgets))


def leaks(text):
    """Return whether any telling part of the address is in what left."""
    return any(part in text for part in ("maria", "rossi", "@exam", "ample.c"))


def tool_call(arguments, **more):
    return {
        "id": "call_1",
        "type": "function",
        "function": {"name": "send", "arguments": arguments},
        **more,
    }


def _object(text):
    """Return the object that a text is in JSON; None where it is none."""
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def planted(value, canary, path=()):
    """Yield (path, copy of the value with the canary in one leaf), for each string in it; where a
    string is JSON itself, for each string in that."""
    if isinstance(value, str):
        yield path, canary
        inside = _object(value)
        if inside is not None:
            inner = planted(inside, canary, (*path, "$json"))
            yield from ((at, json.dumps(one)) for at, one in inner)
    elif isinstance(value, dict):
        yield (*path, "a new key"), {**value, canary: 1}
        for key, child in value.items():
            yield from (
                (at, {**value, key: one}) for at, one in planted(child, canary, (*path, key))
            )
    elif isinstance(value, list):
        for index, child in enumerate(value):
            for at, one in planted(child, canary, (*path, index)):
                yield at, [*value[:index], one, *value[index + 1 :]]
