"""What stands inside a request for a response: items, and fields that nobody listed. Pure."""

from gateway.exchange import Body
from gateway.providers.openai import fields


def items(body: Body) -> list[Body]:
    """Return the items of the input; none where it is one text."""
    given = body.get("input")
    return given if isinstance(given, list) else []


def kind(item: Body) -> str:
    """Return the type of an item, which a message may leave out; "" for none."""
    name = item.get("type") or ("message" if "role" in item else "")
    return name if isinstance(name, str) else ""


def unlisted(body: Body) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the unlisted fields inside items, tools and options: the unknown, the priced.

    They are named with dots and without indexes.
    """
    found: set[str] = set()
    for item in items(body):
        found |= _names(item, fields.ITEM, "input")
        for name in ("content", "output", "summary"):
            if isinstance(item.get(name), list):
                for part in item[name]:
                    found |= _names(part, fields.ITEM_PART, f"input.{name}")
    for tool in body.get("tools") or ():
        found |= _names(tool, fields.ITEM_TOOL, "tools")
    text = body.get("text") or {}
    found |= _names(text, fields.TEXT, "text")
    found |= _names(text.get("format") or {}, fields.TEXT_FORMAT, "text.format")
    found |= _names(body.get("reasoning") or {}, fields.REASONING, "reasoning")
    found |= _names(body.get("stream_options") or {}, fields.STREAM_OPTIONS, "stream_options")
    found -= {"reasoning.mode"} if _plain_mode(body) else set()
    priced = {name for name in found if name.rsplit(".", 1)[1] in fields.PRICED_INSIDE}
    priced |= found & {"reasoning.mode"}
    return tuple(sorted(found - priced)), tuple(sorted(priced))


def _plain_mode(body: Body) -> bool:
    """Tell whether a model thinks as it usually does; in another mode it costs more."""
    return (body.get("reasoning") or {}).get("mode") in (None, "standard")


def _names(node: Body, listed: frozenset[str], where: str) -> set[str]:
    return {f"{where}.{name}" for name in node.keys() - listed}
