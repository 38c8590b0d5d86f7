"""The installation as a declarative file: what is exported applies without a change."""

import json
import re
from collections.abc import Iterator, Mapping

from gateway.declaration import models, policies, providers, services, tenants
from gateway.declaration.document import VERSION
from gateway.declaration.session import Plain

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
_BARE_KEY = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+-]*")
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_FLOW_MAX = 100


def exported() -> dict[str, Plain]:
    """Return everything that a file can say, as it stands now; policies with their texts inline."""
    whole: dict[str, Plain] = {"version": VERSION}
    whole["providers"] = list(providers.export())
    whole["models"] = list(models.export())
    whole["services"] = list(services.export())
    whole["platform"] = {"policies": list(policies.names_of(None, None))}
    whole["tenants"] = list(tenants.export())
    whole["policies"] = [{"text": text} for _, text in policy_texts()]
    return whole


def policy_texts() -> list[tuple[str, str]]:
    """Return the name and the text of each policy that is in use."""
    return [(row.name, row.active.source) for row in policies.export() if row.active is not None]


def render(whole: Mapping[str, Plain] | list[Plain]) -> str:
    """Return the file as YAML that any reader of the 1.2 core schema reads as it was meant."""
    value: Plain = whole if isinstance(whole, list) else dict(whole)
    return "\n".join(_block(value, "")) + "\n"


def flow(value: Plain) -> str:
    """Return a value on one line, as the file writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str) and _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _ODD.sub(_escaped, json.dumps(value, ensure_ascii=False))


def _key(key: str) -> str:
    """Return a key as the file writes it: those of transformations may be any text."""
    return (
        key if _BARE_KEY.fullmatch(key) else _ODD.sub(_escaped, json.dumps(key, ensure_ascii=False))
    )


def _escaped(odd: re.Match[str]) -> str:
    return f"\\u{ord(odd[0]):04x}"


def _block(value: Plain, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _entry(f"{indent}{_key(key)}:", item, indent + "  ")
    elif isinstance(value, list):
        for item in value:
            lines = list(_block(item, indent + "  ")) if _is_long(item) else []
            if lines:
                lines[0] = f"{indent}- {lines[0].lstrip()}"
                yield from lines
            else:
                yield f"{indent}- {flow(item)}"


def _entry(head: str, item: Plain, indent: str) -> Iterator[str]:
    if isinstance(item, str) and _is_literal(item):
        yield f"{head} |"
        yield from (f"{indent}{line}" if line else "" for line in item.split("\n")[:-1])
    elif _is_long(item):
        yield head
        yield from _block(item, indent)
    else:
        yield f"{head} {flow(item)}"


def _is_long(item: Plain) -> bool:
    """Return whether a value takes lines of its own."""
    if isinstance(item, dict):
        has_literal = any(isinstance(one, str) and _is_literal(one) for one in item.values())
        return bool(item) and (has_literal or len(flow(item)) > _FLOW_MAX)
    return isinstance(item, list) and bool(item) and len(flow(item)) > _FLOW_MAX


def _is_literal(text: str) -> bool:
    """Return whether a text can stand line by line: then what is read is exactly the text."""
    return (
        text.count("\n") > 1
        and text.endswith("\n")
        and not text.endswith("\n\n")
        and not text.startswith((" ", "\n"))
        and not any(character in text for character in "\r\t\x85\u2028\u2029\ufeff")
        and text.replace("\n", "").isprintable()
    )
