"""What was stored under earlier versions of the language is read for ever, under the same hash."""

import json

from policies.pdp.language import load_canonical, parse_document
from policies.pdp.obligations import Cap, Redact, RouteTo

STORED = {
    "default": "permit",
    "description": "As it was first stored.",
    "language": 1,
    "policy": "golden",
    "rules": [
        {
            "cap": {"max_output_tokens": 512},
            "id": "a",
            "mode": "enforce",
            "on_error": "deny",
            "phase": "request",
            "redact": {"kinds": ["EMAIL_ADDRESS"], "method": "hash", "min_score": 0.5},
            "when": 'pii.count > 0 && app.tier == "free"',
        },
        {
            "deny": {"message": "Risk {risk}.", "remedy": "Ask."},
            "id": "b",
            "mode": "shadow",
            "on_error": "deny",
            "phase": "request",
            "when": "risk >= 80",
        },
        {
            "id": "c",
            "mode": "enforce",
            "on_error": "deny",
            "permit": True,
            "phase": "request",
            "route": "small",
            "when": "true",
        },
        {
            "id": "d",
            "mode": "enforce",
            "on_error": "skip",
            "phase": "request",
            "risk": 5,
            "when": "call.stream",
        },
        {
            "id": "e",
            "mode": "enforce",
            "on_error": "deny",
            "phase": "answer",
            "redact": {"kinds": "all", "method": "mask", "min_score": 0.4},
            "when": "answer.bytes > 5",
        },
    ],
    "tests": [
        {
            "expect": {"cap": 512, "redact": ["EMAIL_ADDRESS"], "route": "small"},
            "given": {"app.tier": "free", "pii.count": 1},
            "name": "t",
            "phase": "request",
        }
    ],
}
CANONICAL = json.dumps(STORED, separators=(",", ":"), sort_keys=True).encode()
HASH = "57cc1dd863f30d72b5b102f22b64c87ae4a50de8427c3cf1a930f64f4015e329"


def test_the_first_stored_form_is_read_and_has_its_hash():
    document = load_canonical(CANONICAL)
    assert (document.canonical(), document.hash) == (CANONICAL, HASH)
    first, third = document.rules[0], document.rules[2]
    assert first.obligations == (
        Redact(frozenset({"EMAIL_ADDRESS"}), 0.5, "hash"),
        Cap(max_output_tokens=512),
    )
    assert third.obligations == (RouteTo("small"),)


def test_the_same_text_is_stored_as_it_was():
    assert parse_document(json.dumps(STORED).replace('"language": 1, ', "")).hash == HASH
