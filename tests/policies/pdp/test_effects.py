"""Effects are read with all that they may say, and refused for what they may not."""

import pytest

from policies.pdp.document import Rule
from policies.pdp.effects import ANSWER_EFFECTS, EFFECTS, PROMPTS_LENGTH_MAX
from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import load_canonical, parse_document
from policies.pdp.obligations import (
    AddSystemPrompt,
    AllowModels,
    AllowRegions,
    AllowTools,
    Cap,
    Notify,
    Redact,
    Require,
    Sanitise,
    SetDefault,
    Tag,
)
from policies.pdp.problem import PolicyError
from policies.pdp.program import Layered
from policies.pdp.rules import read_rule
from policies.pdp.yaml_text import read_yaml

_HEAD = "id: a\nwhen: true\n"


def _rule(text: str, kinds: frozenset[str] | None = None) -> Rule:
    return read_rule(read_yaml(_HEAD + text), kinds).rule


@pytest.mark.parametrize(
    ("text", "obligation"),
    [
        ("redact: {secrets: all}", Redact(None, 0.4, "mask", frozenset())),
        ("redact: {secrets: [npm_token], kinds: [A], method: drop}",
         Redact(frozenset({"A"}), 0.4, "drop", frozenset({"npm_token"}))),
        ("phase: answer\nredact: {links: true}", Redact(None, 0.4, "mask", links=True)),
        ("sanitise: [bidi, zero_width]", Sanitise(frozenset({"bidi", "zero_width"}))),
        ("cap: {n: 1, temperature: 1, messages: 5, bytes: 9}", Cap(None, 1, 1.0, 5, 9)),
        ("allow_models: [a, b, a]", AllowModels(frozenset("ab"))),
        ("allow_regions: [eu]", AllowRegions(frozenset({"eu"}))),
        ("allow_tools: [send]", AllowTools(frozenset({"send"}))),
        ("add_system_prompt: Be kind.", AddSystemPrompt(("Be kind.",))),
        ("set_default: {top_p: 1, temperature: 0}",
         SetDefault((("temperature", 0.0), ("top_p", 1.0)))),
        ("tag: {reviewed: legal}", Tag(frozenset({("reviewed", "legal")}))),
        ("notify: [security]", Notify(frozenset({"security"}))),
        ("require: {user: true, headers: [X-A], metadata: [team]}",
         Require(user=True, headers=frozenset({"x-a"}), metadata=frozenset({"team"}))),
    ],
)  # fmt: skip
def test_an_effect_is_read(text, obligation):
    assert _rule(text).obligations == (obligation,)


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "hint"),
    [
        ("redact: {secrets: all, method: hash}", 3, 24, "a secret leaves no hash", "drop or mask"),
        (
            "redact: {secrets: all, method: placeholder}",
            3,
            24,
            "a secret leaves no placeholder",
            "",
        ),
        ("phase: answer\nredact: {method: placeholder}", 4, 10, "nobody restores", "drop, mask"),
        ("phase: answer\nredact: {links: true, method: hash}", 4, 23, "a link leaves no hash", ""),
        ("redact: {links: true}", 3, 10, "links are redacted in answers", "phase: answer"),
        ("phase: answer\nredact: {links: true, min_score: 1}", 4, 23, "a link has no score", ""),
        ("phase: answer\nredact: {links: false}", 4, 17, "only true", ""),
        ("redact: {secrets: [AWS]}", 3, 20, "is not a kind such as aws_access_key", ""),
        ("sanitise: []", 3, 11, "the list is empty", "unicode_tags"),
        ("sanitise: [bidis]", 3, 12, "expected one of", "bidi"),
        ("cap: {}", 3, 6, "cap bounds nothing", "max_output_tokens"),
        ("cap: {temperature: 3}", 3, 20, "is not between 0.0 and 2.0", ""),
        ("cap: {n: 0}", 3, 10, "is not between 1 and 128", ""),
        ("cap: {tokens: 5}", 3, 7, 'has no key "tokens"', ""),
        ("allow_models: []", 3, 15, "it would allow nothing", "deny"),
        ("allow_models: [a b]", 3, 16, "is not the name of a model", ""),
        ("allow_tools: send", 3, 14, "expected a list", ""),
        ("add_system_prompt: ''", 3, 20, "the text is empty", ""),
        (f"add_system_prompt: {'x' * 2001}", 3, 20, "longer than 2000", ""),
        ("set_default: {}", 3, 14, "set_default sets nothing", "temperature"),
        ("set_default: {seed: 1}", 3, 15, 'has no key "seed"', ""),
        ("set_default: {temperature: hot}", 3, 28, "expected a number", ""),
        ("tag: {}", 3, 6, "tag names 1 to 20 tags", ""),
        ("tag: [a]", 3, 6, "must be keys with values", ""),
        ("tag: {a: 5}", 3, 10, "expected a text", "quotes"),
        ("tag: {-a: b}", 3, 7, "is not a name", ""),
        ("notify: []", 3, 9, "the list is empty", "security"),
        ("notify: [a b]", 3, 10, "is not a name", ""),
        ("require: {}", 3, 10, "require asks for nothing", "user"),
        ("require: {user: false}", 3, 17, "only true", ""),
        ("require: {headers: [a b]}", 3, 21, "is not the name of a header", ""),
        ("require_approval: {by: legal}", 3, 1, "does not wait until a person", "available"),
        ("deny: {message: x}\nsanitise: [bidi]", 4, 1, "cannot sanitise too", "two rules"),
    ],
)
def test_faults_stand_where_they_are(text, line, column, words, hint):
    with pytest.raises(PolicyError) as caught:
        _rule(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.problems) == 1


_BODIES = {
    "cap": "{n: 1}",
    "route": "m",
    "allow_models": "[m]",
    "allow_regions": "[eu]",
    "add_system_prompt": "x",
    "set_default": "{top_p: 1}",
    "require": "{user: true}",
    "permit": "true",
    "risk": "5",
}


def test_what_changes_a_request_is_too_late_for_an_answer():
    assert set(_BODIES) == set(EFFECTS) - set(ANSWER_EFFECTS)
    for effect, body in _BODIES.items():
        with pytest.raises(PolicyError) as caught:
            _rule(f"phase: answer\n{effect}: {body}")
        assert caught.value.message == f"{effect} is too late in the answer phase"


def test_a_denial_may_be_tagged_and_told_of():
    rule = _rule("deny: {message: x}\ntag: {a: b}\nnotify: [t]")
    assert [found.key for found in rule.obligations] == ["tag", "notify"]


def test_kinds_that_no_detector_finds_are_refused_where_the_kinds_are_known():
    kinds = frozenset({"EMAIL_ADDRESS", "npm_token"})
    _rule("redact: {kinds: [EMAIL_ADDRESS], secrets: [npm_token]}", kinds)
    with pytest.raises(PolicyError, match="no detector finds npm_tokn") as caught:
        _rule("redact: {secrets: [npm_tokn]}", kinds)
    assert caught.value.hint == 'did you mean "npm_token"?'


def test_the_canonical_form_holds_every_effect_and_reads_back():
    text = (
        "policy: p\ndefault: permit\nrules:\n  - id: all\n    when: true\n    permit: true\n"
        "    redact: {kinds: [A], secrets: all}\n    sanitise: [bidi]\n    cap: {n: 2, bytes: 9}\n"
        "    route: m\n    allow_models: [m]\n    allow_regions: [eu]\n    allow_tools: [t]\n"
        "    add_system_prompt: Be kind.\n    set_default: {top_p: 0.5}\n    tag: {a: b}\n"
        "    notify: [t]\n    require: {user: true, headers: [x-a]}\n    risk: 5\n"
        "  - {id: links, phase: answer, when: true, redact: {links: true}}\n"
        "tests:\n  - {name: t, given: {user.present: true}, expect: {obliges: [tag, notify]}}\n"
    )
    document = parse_document(text)
    assert load_canonical(document.canonical()) == document
    assert document.canonical() == load_canonical(document.canonical()).canonical()


def test_prompts_of_all_layers_together_have_an_end():
    def layered(name: str, count: int) -> Layered:
        rules = "".join(
            f"  - {{id: r{number}, when: true, add_system_prompt: '{name}{number}{'x' * 1990}'}}\n"
            for number in range(count)
        )
        text = f"policy: {name}\ndefault: permit\nrules:\n{rules}"
        return Layered("tenant", name, 1, parse_document(text))

    EffectivePolicy([layered("a", 2), layered("b", 2)])
    with pytest.raises(PolicyError, match=f"{PROMPTS_LENGTH_MAX} is the most"):
        EffectivePolicy([layered("a", 3), layered("b", 2)])
