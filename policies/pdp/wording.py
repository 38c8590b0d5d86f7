"""Obligations in words, from the form in which documents and records keep them. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from policies.pdp.document import Rule

_CARRIERS = {
    "unicode_tags": "text in Unicode tags",
    "zero_width": "characters without width",
    "bidi": "controls of writing direction",
    "html_comments": "HTML comments",
}
_BOUNDS = {
    "max_output_tokens": "ask for at most {} output tokens",
    "n": "deny more than {} answers at once",
    "temperature": "ask for a temperature of at most {}",
    "messages": "deny more than {} messages",
    "bytes": "deny more than {} bytes",
}


def obligation(key: str, written: Any) -> str:
    """Return what an obligation asks for, as a sentence without its end."""
    say = _SAY.get(key)
    return say(written) if say else key


def effects(rule: Rule) -> tuple[str, ...]:
    """Return what a rule does where it matches, each as a sentence without its end."""
    said = ["Deny the call: " + rule.deny.message.text] if rule.deny else []
    if rule.permit:
        said.append("Permit the call, as far as this policy goes")
    said += [obligation(item.key, item.written()) for item in rule.obligations]
    if rule.risk:
        said.append(f"Add {rule.risk} to the risk")
    return tuple(said)


def _redact(written: Mapping[str, Any]) -> str:
    parts = []
    if "kinds" in written:
        parts.append(_kinds(written["kinds"], "personal data of every kind"))
    if "secrets" in written:
        parts.append(_kinds(written["secrets"], "credentials of every kind"))
    if "custom" in written:
        parts.append(_kinds(written["custom"], "all that detectors of the tenant find"))
    score = f" from score {written['min_score']} on" if "min_score" in written else ""
    if written.get("links"):
        parts.append("links")
    return f"Redact {' and '.join(parts)}{score}, by {written['method']}"


def _kinds(kinds: Any, every: str) -> str:
    return every if kinds in ("all", []) else ", ".join(kinds)


def _cap(written: Mapping[str, Any]) -> str:
    said = [_BOUNDS[name].format(_figure(bound)) for name, bound in written.items()]
    return "; ".join(said).capitalize()


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _prompt(written: Any) -> str:
    texts = [written] if isinstance(written, str) else written
    return "Put before the system prompt: " + " / ".join(texts)


def _pairs(written: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in written.items())


def _value(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _require(written: Mapping[str, Any]) -> str:
    parts = ["an end user"] if written.get("user") else []
    parts += [f"the header {name}" for name in written.get("headers", ())]
    parts += [f"the tag {name}" for name in written.get("metadata", ())]
    return "Deny the call without " + " and ".join(parts)


_SAY: Mapping[str, Callable[[Any], str]] = {
    "redact": _redact,
    "sanitise": lambda written: "Take out " + ", ".join(_CARRIERS.get(it, it) for it in written),
    "cap": _cap,
    "route": lambda written: f"Serve it with the model {written}",
    "allow_models": lambda written: "Allow only the models " + ", ".join(written),
    "allow_regions": lambda written: "Allow only the regions " + ", ".join(written),
    "allow_tools": lambda written: "Allow only the tools " + ", ".join(written),
    "add_system_prompt": _prompt,
    "set_default": lambda written: "Where the client left it open, set " + _pairs(written),
    "tag": lambda written: "Tag the record with " + _pairs(written),
    "notify": lambda written: "Notify " + ", ".join(written),
    "require": _require,
}
