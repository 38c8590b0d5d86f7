"""The JSON Schema of a policy document, for editors. Pure.

It says what an editor can tell while one types. Conditions, messages and what belongs together are
checked by the language alone.
"""

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from policies.pdp import effects
from policies.pdp.cases import ITEMS_MAX, NAME_LENGTH_MAX, TEXT_LENGTH_MAX
from policies.pdp.document import Mode, OnError
from policies.pdp.effects import EFFECTS, KIND, MODEL, NAME, OBLIGATIONS, SECRET_KIND
from policies.pdp.expression.tokens import LENGTH_MAX
from policies.pdp.language import DESCRIPTION_LENGTH_MAX, RULES_MAX, TESTS_MAX
from policies.pdp.message import MESSAGE_LENGTH_MAX
from policies.pdp.obligations import CARRIERS, KINDS, REDACT_METHODS
from policies.pdp.request import FACTS, FINDING_FIELDS, RISK_MAX, FactType
from policies.pdp.rules import PHASES

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FACT_TYPES: Mapping[FactType, Schema] = {
    "bool": {"type": "boolean"},
    "int": {"type": "integer"},
    "double": {"type": "number"},
    "string": {"type": "string", "maxLength": TEXT_LENGTH_MAX},
    "list<string>": {
        "type": "array",
        "items": {"type": "string", "maxLength": TEXT_LENGTH_MAX},
        "maxItems": ITEMS_MAX,
    },
    "list<finding>": {
        "type": "array",
        "items": {"$ref": "#/$defs/finding"},
        "maxItems": ITEMS_MAX,
    },
}


def policy_schema() -> Schema:
    """Return the schema of a document."""
    return {
        "$schema": _DIALECT,
        "title": "Gatehouse policy",
        **_object(
            {
                "policy": _word(NAME.pattern, "The policy's name."),
                "description": _text(DESCRIPTION_LENGTH_MAX, "What the policy is for."),
                "default": {
                    "enum": ["permit", "deny"],
                    "default": "deny",
                    "description": "What holds where no rule of this policy says permit or deny.",
                },
                "rules": _list({"$ref": "#/$defs/rule"}, RULES_MAX, "The rules, in any order."),
                "tests": _list({"$ref": "#/$defs/test"}, TESTS_MAX, "What must hold of it."),
            },
            ("policy",),
        ),
        "$defs": {"rule": _rule(), "test": _test(), "finding": _finding()},
    }


def _rule() -> Schema:
    properties: dict[str, Schema] = {
        "id": _word(NAME.pattern, "Names the rule in decisions and records."),
        "phase": {"enum": [*PHASES], "default": "request"},
        "mode": {"enum": [*get_args(Mode)], "default": "enforce"},
        "when": {
            "type": ["string", "boolean"],
            "maxLength": LENGTH_MAX,
            "description": 'The condition, as in: pii.count > 0 && app.tier == "free"',
        },
        **{effect: _EFFECTS[effect] for effect in EFFECTS},
        "on_error": {
            "enum": [*get_args(OnError)],
            "default": "deny",
            "description": "What happens where a detector that the rule depends on fails.",
        },
    }
    return {
        **_object(properties, ("id", "when")),
        "anyOf": [{"required": [effect]} for effect in EFFECTS],
    }


def _test() -> Schema:
    given = {
        name: {**_FACT_TYPES[fact.type], "description": fact.doc} for name, fact in FACTS.items()
    }
    expect = {
        "deny": _word(NAME.pattern, "The rule that denies, or default."),
        "permit": {"const": True},
        "redact": _kinds(KIND.pattern, "The kinds of personal data that are redacted."),
        "route": _word(MODEL.pattern, "The model that serves the call."),
        "cap": _whole(1, effects.TOKENS_MAX, "The cap on output tokens."),
        "obliges": _list({"enum": [*OBLIGATIONS]}, len(OBLIGATIONS), "What the decision demands."),
    }
    properties = {
        "name": _text(NAME_LENGTH_MAX, "What the test shows."),
        "phase": {"enum": [*PHASES], "default": "request"},
        "given": _object(given, ()),
        "expect": {**_object(expect, ()), "minProperties": 1},
    }
    return _object(properties, ("name", "expect"))


def _finding() -> Schema:
    fields = {name: dict(_FACT_TYPES[kind]) for name, kind in FINDING_FIELDS.items()}
    fields["score"] |= {"minimum": 0, "maximum": 1}
    fields["count"] |= {"minimum": 1, "default": 1}
    return _object(fields, ("kind", "category", "score"))


def _redact() -> Schema:
    return _object(
        {
            "kinds": _kinds(KIND.pattern, "Personal data: all, or a list of kinds."),
            "secrets": _kinds(SECRET_KIND.pattern, "Credentials: all, or a list of kinds."),
            "custom": _kinds(KIND.pattern, "What tenants look for: all, or a list of kinds."),
            "links": {"const": True, "description": "Links (answers only)."},
            "min_score": {**_figure(0, 1), "default": effects.MIN_SCORE_DEFAULT},
            "method": {"enum": [*REDACT_METHODS], "default": "mask"},
        },
        (),
    )


def _cap() -> Schema:
    return {
        **_object(
            {
                "max_output_tokens": _whole(1, effects.TOKENS_MAX, "Lowered."),
                "n": _whole(1, effects.CHOICES_MAX, "More answers are denied."),
                "temperature": {**_figure(0, effects.TEMPERATURE_MAX), "description": "Lowered."},
                "messages": _whole(1, effects.MESSAGES_MAX, "More messages are denied."),
                "bytes": _whole(1, effects.BYTES_MAX, "A larger body is denied."),
            },
            (),
        ),
        "minProperties": 1,
    }


def _set_default() -> Schema:
    properties = {
        "max_output_tokens": _whole(1, effects.TOKENS_MAX, "Where the client asks for no cap."),
        "temperature": _figure(0, effects.TEMPERATURE_MAX),
        "top_p": _figure(0, 1),
    }
    return {**_object(properties, ()), "minProperties": 1}


def _require() -> Schema:
    header = _word(effects.HEADER.pattern, "")
    properties = {
        "user": {"const": True, "description": "The end user must be known."},
        "headers": _list(header, effects.TAGS_MAX, "Headers that must be there with a value."),
        "metadata": _list(_word(NAME.pattern, ""), effects.TAGS_MAX, "Tags that must be declared."),
    }
    return {**_object(properties, ()), "minProperties": 1}


def _names(pattern: str, description: str) -> Schema:
    return {**_list(_word(pattern, ""), effects.NAMES_MAX, description), "minItems": 1}


def _kinds(pattern: str, description: str) -> Schema:
    kinds = {**_list(_word(pattern, ""), effects.KINDS_MAX, ""), "minItems": 1}
    return {"description": description, "anyOf": [{"const": "all"}, kinds]}


def _object(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**schema, "required": [*required]} if required else schema


def _list(items: Schema, most: int, description: str) -> Schema:
    schema: Schema = {"type": "array", "items": items, "maxItems": most}
    return {**schema, "description": description} if description else schema


def _word(pattern: str, description: str) -> Schema:
    schema: Schema = {"type": "string", "pattern": f"^(?:{pattern})$"}
    return {**schema, "description": description} if description else schema


def _text(longest: int, description: str) -> Schema:
    return {"type": "string", "maxLength": longest, "description": description}


def _whole(low: int, high: int, description: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": description}


def _figure(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


_DOCS = {kind.key: (kind.__doc__ or "").partition("\n")[0] for kind in KINDS}

_SHAPES: Mapping[str, Schema] = {
    "redact": _redact(),
    "sanitise": {**_list({"enum": [*CARRIERS]}, len(CARRIERS), ""), "minItems": 1},
    "cap": _cap(),
    "route": _word(MODEL.pattern, ""),
    "allow_models": _names(MODEL.pattern, ""),
    "allow_regions": _names(MODEL.pattern, ""),
    "allow_tools": _names(MODEL.pattern, ""),
    "add_system_prompt": {"type": "string", "maxLength": effects.PROMPT_LENGTH_MAX},
    "set_default": _set_default(),
    "tag": {
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{NAME.pattern})$"},
        "additionalProperties": {"type": "string", "maxLength": effects.TAG_VALUE_LENGTH_MAX},
        "minProperties": 1,
        "maxProperties": effects.TAGS_MAX,
    },
    "notify": _names(NAME.pattern, ""),
    "require": _require(),
}
_EFFECTS: Mapping[str, Schema] = {
    "deny": {
        "description": "Refuse the call.",
        **_object(
            {
                "message": _text(MESSAGE_LENGTH_MAX, "What the caller is told; {fact} shows one."),
                "remedy": _text(MESSAGE_LENGTH_MAX, "What would make the call pass."),
            },
            ("message",),
        ),
    },
    "permit": {"const": True, "description": "Permit the call, as far as this policy goes."},
    "risk": _whole(1, RISK_MAX, "Points that are added to the risk."),
    **{key: {"description": _DOCS[key], **shape} for key, shape in _SHAPES.items()},
}
