"""What a rule does where it matches: the keys of its effects to obligations. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Node, Scalar, fault
from policies.pdp.obligations import (
    CARRIERS,
    KINDS,
    PARAMETERS,
    REDACT_METHODS,
    AddSystemPrompt,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Notify,
    Obligation,
    Parameter,
    Redact,
    Require,
    RouteTo,
    Sanitise,
    SetDefault,
    Tag,
)
from policies.pdp.problem import closest
from policies.pdp.request import Phase

OBLIGATIONS: tuple[str, ...] = tuple(kind.key for kind in KINDS)
"""The keys of obligations, in the order in which a rule keeps them."""

EFFECTS = ("deny", "permit", *OBLIGATIONS, "risk")

ADVICE = ("tag", "notify")
"""Effects that may stand beside a denial: they do not touch the call."""

ANSWER_EFFECTS = ("deny", "redact", "sanitise", "allow_tools", "tag", "notify")
"""Effects on an answer: a rule of the answer phase comes too late for the others."""

LATER = {
    "require_approval": "a call does not wait until a person has answered",
}
"""Effects of the wider language, and why there are none such."""

MIN_SCORE_DEFAULT = 0.4
TOKENS_MAX = 10_000_000
CHOICES_MAX = 128
MESSAGES_MAX = 100_000
BYTES_MAX = 2**31 - 1
TEMPERATURE_MAX = 2.0
KINDS_MAX = 200
NAMES_MAX = 200
TAGS_MAX = 20
TAG_VALUE_LENGTH_MAX = 100
PROMPT_LENGTH_MAX = 2000
PROMPTS_LENGTH_MAX = 8000
"""What all enforced rules of an effective policy may add to the system prompt together."""

_TELLING = ("hash", "placeholder")
"""The methods whose result tells equal values from others."""

KIND = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
SECRET_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
MODEL = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")

_NOTHING: tuple[str, ...] = ()

T = TypeVar("T")

read_name = fields.word(NAME, "a name: up to 63 letters, digits and . _ -, no sign first")
read_model = fields.word(MODEL, "a model name: up to 200 characters, no blanks")


def read_kinds(known: frozenset[str] | None = None) -> Read[frozenset[str]]:
    """Read `all` (the empty set) or a list of kinds of personal data; only `known` ones, if any."""
    return _kinds(fields.word(KIND, "a kind such as EMAIL_ADDRESS"), known)


def read_secrets(known: frozenset[str] | None = None) -> Read[frozenset[str]]:
    """Read `all` (the empty set) or a list of kinds of credentials; only `known` ones, if any."""
    return _kinds(fields.word(SECRET_KIND, "a kind such as aws_access_key"), known)


def read_custom(node: Node) -> frozenset[str]:
    """Read `all` (the empty set) or a list of kinds that tenants look for themselves: which there
    are is known where the text is published."""
    return _kinds(fields.word(KIND, "a kind such as PROJECT_CODENAME"), None)(node)


def read_obligations(
    keys: Fields, phase: Phase, kinds: frozenset[str] | None
) -> tuple[Obligation, ...]:
    """Return what a rule of this phase demands, in the order of `OBLIGATIONS`.

    `kinds`, where they are known, are those that detectors find, of all categories.
    """
    readers: Mapping[str, Read[Obligation]] = {**_READERS, "redact": _redact(phase, kinds)}
    found = (keys.optional(key, readers[key], None) for key in OBLIGATIONS if key in keys)
    return tuple(obligation for obligation in found if obligation is not None)


def _kinds(shaped: Read[str], known: frozenset[str] | None) -> Read[frozenset[str]]:
    def read_kind(node: Node) -> str:
        kind = shaped(node)
        if known is not None and kind not in known:
            raise fault(node.at, f"no detector finds {kind}", closest(kind, known))
        return kind

    read_list = fields.listing(read_kind, KINDS_MAX)

    def read(node: Node) -> frozenset[str]:
        if isinstance(node, Scalar) and node.value == "all":
            return frozenset()
        kinds = read_list(node)
        if not kinds:
            raise fault(node.at, "the list is empty", "write all for every kind")
        return frozenset(kinds)

    return read


def _redact(phase: Phase, known: frozenset[str] | None) -> Read[Redact]:
    def read(node: Node) -> Redact:
        keys = Fields(
            node, "redact", ("kinds", "secrets", "custom", "links", "min_score", "method")
        )
        secrets = keys.optional("secrets", read_secrets(known), None)
        links = keys.optional("links", fields.only_true, default=False)
        others = any(key in keys for key in ("secrets", "custom", "links"))
        every = None if others else frozenset[str]()
        redact = Redact(
            kinds=keys.optional("kinds", read_kinds(known), every),
            min_score=keys.optional("min_score", fields.decimal(0.0, 1.0), MIN_SCORE_DEFAULT),
            method=keys.optional("method", fields.choice(REDACT_METHODS), "mask"),
            secrets=secrets,
            links=links,
            custom=keys.optional("custom", read_custom, None),
        )
        _check_redact(redact, keys, phase)
        keys.finish()
        return redact

    return read


def _check_redact(redact: Redact, keys: Fields, phase: Phase) -> None:
    if "secrets" in keys and redact.method in _TELLING:
        hint = "write drop or mask, or another rule for the secrets"
        keys.note(keys.key_at("method"), f"a secret leaves no {redact.method} behind", hint)
    if phase == "answer" and redact.method == "placeholder":
        hint = "write drop, mask or hash; a rule of the request is restored in answers by itself"
        keys.note(keys.key_at("method"), "nobody restores what is taken out of an answer", hint)
    if "links" in keys and phase == "request":
        keys.note(keys.key_at("links"), "links are redacted in answers", "add phase: answer")
    if "links" in keys and redact.method in _TELLING:
        message = f"a link leaves no {redact.method} behind"
        keys.note(keys.key_at("method"), message, "write drop or mask")
    if (
        "min_score" in keys
        and not redact.detectors
        and "secrets" not in keys
        and "custom" not in keys
    ):
        keys.note(keys.key_at("min_score"), "a link has no score", "leave the key out")


def _sanitise(node: Node) -> Sanitise:
    carriers = fields.listing(fields.choice(CARRIERS), len(CARRIERS))(node)
    if not carriers:
        raise fault(node.at, "the list is empty", f"known: {', '.join(CARRIERS)}")
    return Sanitise(frozenset(carriers))


def _cap(node: Node) -> Cap:
    keys = Fields(node, "cap", Cap.__slots__)
    cap = Cap(
        max_output_tokens=keys.optional("max_output_tokens", fields.whole(1, TOKENS_MAX), None),
        n=keys.optional("n", fields.whole(1, CHOICES_MAX), None),
        temperature=keys.optional("temperature", fields.decimal(0.0, TEMPERATURE_MAX), None),
        messages=keys.optional("messages", fields.whole(1, MESSAGES_MAX), None),
        bytes=keys.optional("bytes", fields.whole(1, BYTES_MAX), None),
    )
    if not keys.faulty and cap == Cap():
        keys.note(keys.at, "cap bounds nothing", f"known: {', '.join(Cap.__slots__)}")
    keys.finish()
    return cap


def _names(what: str) -> Read[frozenset[str]]:
    word = fields.word(MODEL, f"the name of a {what}: up to 200 characters, no blanks")
    read_list = fields.listing(word, NAMES_MAX)

    def read(node: Node) -> frozenset[str]:
        names = read_list(node)
        if not names:
            raise fault(node.at, "the list is empty: it would allow nothing", "write a rule: deny")
        return frozenset(names)

    return read


def _prompt(node: Node) -> AddSystemPrompt:
    return AddSystemPrompt((fields.text(PROMPT_LENGTH_MAX)(node).text,))


_PARAMETERS: Mapping[Parameter, Read[float]] = {
    "max_output_tokens": fields.whole(1, TOKENS_MAX),
    "temperature": fields.decimal(0.0, TEMPERATURE_MAX),
    "top_p": fields.decimal(0.0, 1.0),
}


def _set_default(node: Node) -> SetDefault:
    keys = Fields(node, "set_default", PARAMETERS)
    named = [name for name in sorted(PARAMETERS) if name in keys]
    values = [(name, keys.required(name, _PARAMETERS[name], 0.0)) for name in named]
    if not named and not keys.faulty:
        keys.note(keys.at, "set_default sets nothing", f"known: {', '.join(PARAMETERS)}")
    keys.finish()
    return SetDefault(tuple(values))


def _tag(node: Node) -> Tag:
    pairs = fields.pairs(node, "tag")
    if not pairs or len(pairs) > TAGS_MAX:
        raise fault(node.at, f"tag names 1 to {TAGS_MAX} tags, as in tag: {{reviewed: legal}}")
    read_value = fields.text(TAG_VALUE_LENGTH_MAX)
    return Tag(frozenset((read_name(name), read_value(value).text) for name, value in pairs))


def _notify(node: Node) -> Notify:
    topics = fields.listing(read_name, NAMES_MAX)(node)
    if not topics:
        raise fault(node.at, "the list is empty", "as in notify: [security]")
    return Notify(frozenset(topics))


def _require(node: Node) -> Require:
    keys = Fields(node, "require", Require.__slots__)
    read_headers = fields.listing(fields.word(HEADER, "the name of a header"), TAGS_MAX)
    read_metadata = fields.listing(read_name, TAGS_MAX)
    require = Require(
        user=keys.optional("user", fields.only_true, default=False),
        headers=frozenset(map(str.lower, keys.optional("headers", read_headers, _NOTHING))),
        metadata=frozenset(keys.optional("metadata", read_metadata, _NOTHING)),
    )
    if not keys.faulty and require == Require():
        keys.note(keys.at, "require asks for nothing", f"known: {', '.join(Require.__slots__)}")
    keys.finish()
    return require


def _of(make: Callable[[T], Obligation], read: Read[T]) -> Read[Obligation]:
    return lambda node: make(read(node))


_READERS: Mapping[str, Read[Obligation]] = {
    "sanitise": _sanitise,
    "cap": _cap,
    "route": _of(RouteTo, read_model),
    "allow_models": _of(AllowModels, _names("model")),
    "allow_regions": _of(AllowRegions, _names("region")),
    "allow_tools": _of(AllowTools, _names("tool")),
    "add_system_prompt": _prompt,
    "set_default": _set_default,
    "tag": _tag,
    "notify": _notify,
    "require": _require,
}
