"""The reference of the language, as Markdown, from the tables that it is made of. Pure."""

import inspect
from collections.abc import Iterable, Mapping, Sequence

from policies.pdp.effects import (
    ANSWER_EFFECTS,
    EFFECTS,
    LATER,
    PROMPTS_LENGTH_MAX,
)
from policies.pdp.expression.tokens import LENGTH_MAX
from policies.pdp.expression.tree import Operator
from policies.pdp.language import PATTERNS_MAX, RULES_MAX, TESTS_MAX
from policies.pdp.obligations import CARRIERS, KINDS, PARAMETERS, REDACT_METHODS
from policies.pdp.request import FACTS, FINDING_FIELDS, SCHEMA_VERSION, Fact
from policies.pdp.yaml_text import BYTES_MAX

OPERATORS: Mapping[Operator, tuple[str, str]] = {
    "&&": ("bool && bool", "both"),
    "||": ("bool || bool", "at least one"),
    "!": ("!bool", "not"),
    "==": ("a == b", "equal; both of one type, no lists"),
    "!=": ("a != b", "not equal"),
    "<": ("a < b", "less; numbers, or texts by code point"),
    "<=": ("a <= b", "less or equal"),
    ">": ("a > b", "more"),
    ">=": ("a >= b", "more or equal"),
    "in": ('a in ["x", "y"], a in list', "is one of them"),
    "size": ("size(a)", "characters of a text, items of a list"),
    "startsWith": ('a.startsWith("x")', "the text begins so"),
    "endsWith": ('a.endsWith("x")', "the text ends so"),
    "contains": ('a.contains("x")', "the text holds it"),
    "matches": ('a.matches("^x[0-9]+$")', "an RE2 pattern, a constant, is found in the text"),
}

_BODIES: Mapping[str, str] = {
    "deny": 'deny: {message: "No {pii.kinds}.", remedy: "Remove it."}',
    "permit": "permit: true",
    "redact": "redact: {kinds: all, secrets: all, custom: [TICKET], min_score: 0.4, method: mask}",
    "sanitise": "sanitise: [unicode_tags, zero_width, bidi, html_comments]",
    "cap": "cap: {max_output_tokens: 512, n: 1, temperature: 0.7, messages: 50, bytes: 65536}",
    "route": "route: gpt-4o-mini",
    "allow_models": "allow_models: [gpt-4o-mini, claude-haiku]",
    "allow_regions": "allow_regions: [eu]",
    "allow_tools": "allow_tools: [search]",
    "add_system_prompt": 'add_system_prompt: "Never promise a refund."',
    "set_default": "set_default: {temperature: 0.2, top_p: 0.9, max_output_tokens: 1024}",
    "tag": "tag: {reviewed: legal}",
    "notify": "notify: [security]",
    "require": "require: {user: true, headers: [x-ticket], metadata: [team]}",
    "risk": "risk: 50",
}
_NOTES: Mapping[str, str] = {
    "deny": "The caller is told `message` and `remedy`. `{fact}` shows the value of a fact.",
    "permit": "What a policy without `default: permit` needs from one of its rules. It does not"
    " override a denial of another rule.",
    "redact": f"Methods, strictest first: {', '.join(REDACT_METHODS)}. `kinds` are of personal"
    " data, `custom` are what tenants look for by detectors of their own (`custom-detectors.md`);"
    " without `kinds`, `secrets`, `custom` and `links` it is all personal data. What `placeholder`"
    " leaves (`[EMAIL_ADDRESS_1_8c65]`) is the value again in the answer to the same request, so"
    " only a rule of the request may name it. A secret leaves neither a hash nor a placeholder: two"
    " rules are needed where personal data shall leave one. `links: true` is for answers, and takes"
    " out every link of an answer.",
    "sanitise": f"Carriers: {', '.join(CARRIERS)}. A single joiner between letters beyond ASCII and"
    " the flags written in tags stay; `unicode_tags` takes runs of variation selectors, too. The"
    " record says how many characters of each carrier went.",
    "cap": "`max_output_tokens` and `temperature` are lowered: the first is always sent upstream,"
    " the second too, since the default of a provider is not known to be lower (what a client left"
    " open is sent as 1.0 at most; a transcription's usual 0 is left alone). A call over `n`,"
    " `messages` or `bytes` is denied: with fewer"
    " answers, messages or bytes it would be another call.",
    "route": "At most one enforced rule of a layer may route: two are an error when it is"
    " published. The target is judged again; it is routed at most once.",
    "allow_models": "Judged by the model that would serve the call, after `route`.",
    "allow_regions": "Judged for each deployment before it is tried: one that is not allowed is"
    " out, the next is in. A deployment without a region is in none.",
    "allow_tools": "A rule of the request looks at the tools that are offered, one of the answer at"
    " those that are called. A tool that the provider runs has the name of its type, as in"
    " `web_search`. What fields of their own bring in (`mcp_servers`, `web_search_options`) is no"
    " tool of the list: look at `uninspected.kinds` and `call.unknown_fields`.",
    "add_system_prompt": f"All rules together may add {PROMPTS_LENGTH_MAX} characters: more is an"
    " error when it is published. An endpoint without a system prompt refuses the call"
    " (`obligation_unenforceable`); say `call.endpoint` in the condition.",
    "set_default": f"Known: {', '.join(PARAMETERS)}. Endpoints that do not sample keep it by doing"
    " nothing. Caps hold for defaults, too, and so does the most that an API takes.",
    "tag": "Written into the record, of a denied call, too.",
    "notify": "A line of the log and the counter `gatehouse_policy_notices_total`, by topic. Holds"
    " for a denied call, too; nothing waits for it.",
    "require": "`user`: the key or the client names an end user. `headers`: there, with a value."
    " `metadata`: declared in `x-gatehouse-tags`.",
    "risk": "Rules that add to the risk are judged first and may not read `risk`; rules in shadow"
    " add nothing.",
}
_LAWS = {
    "deny": "Any denies. The reason is the first by layer and rule id; all are listed.",
    "permit": "Any of the policy's own rules permits; each closed policy needs one.",
    "risk": "Each rule once; the sum is capped at 1,000,000, and its parts are listed.",
}

EXAMPLE = """\
policy: house-rules
description: What every app of the company must obey.
default: permit
rules:
  - id: no-secrets-out
    when: secret.count > 0
    deny: {message: "The prompt contains a credential ({secret.kinds}).", remedy: "Remove it."}
    notify: [security]
  - id: mask-pii
    when: findings.exists(f, f.category == "pii" && f.score >= 0.5)
    redact: {kinds: [EMAIL_ADDRESS, CREDIT_CARD], min_score: 0.4, method: mask}
  - id: injection-signals
    when: injection.score >= 0.6
    risk: 50
  - id: hidden-text
    when: injection.count > 0
    sanitise: [unicode_tags, zero_width, bidi]
    risk: 40
  - id: risky
    when: risk >= 80
    deny: {message: "Risk score {risk} is over 80."}
  - id: eu-only
    when: '"data=personal" in call.tags'
    allow_regions: [eu]
  - id: interns
    when: app.tier == "free" && model.asked.startsWith("gpt-4")
    route: gpt-4o-mini
    cap: {max_output_tokens: 512}
    mode: shadow
  - id: links
    phase: answer
    when: 'answer.links.exists(h, !(h in ["example.com"]))'
    redact: {links: true}
tests:
  - {name: a secret is refused, given: {secret.count: 1}, expect: {deny: no-secrets-out}}
  - {name: signals add up, given: {injection.score: 0.7, injection.count: 2}, expect: {deny: risky}}
  - name: personal data stays in the EU
    given: {call.tags: ["data=personal"], model.region: us}
    expect: {deny: eu-only}
  - name: there it may go
    given: {call.tags: ["data=personal"], model.region: eu}
    expect: {permit: true, obliges: [allow_regions]}
  - name: a foreign link is taken out
    phase: answer
    given: {answer.links: [evil.example]}
    expect: {obliges: [redact]}
  - {name: a plain question passes, expect: {permit: true}}
"""


def reference() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# The policy language",
            "",
            "`python manage.py policy reference` writes this page; a test compares it with the"
            " code, and runs the example.",
            "",
            *_document(),
            *_conditions(),
            *_effects(),
            *_facts(),
            *_streams(),
            *_files(),
        ]
    )


def _document() -> Iterable[str]:
    yield from (
        "A policy is a YAML file (1.2, core schema, no anchors and tags). Rules have no order: what"
        " matches merges, and a denial overrides everything.",
        "",
        "```yaml",
        *EXAMPLE.rstrip("\n").split("\n"),
        "```",
        "",
        "| key of a rule | |",
        "| --- | --- |",
        "| `id` | Names the rule in decisions, records and refusals. |",
        "| `when` | The condition; `true` holds always. |",
        "| `phase` | `request` (the default) or `answer`. |",
        "| `mode` | `enforce` (the default), `shadow` (named, without effect), `disabled`. |",
        "| `on_error` | Where a detector fails that the rule depends on: `deny` (the default) or"
        " `skip`. |",
        "",
        f"At most {RULES_MAX} rules, {TESTS_MAX} tests, {PATTERNS_MAX} patterns,"
        f" {BYTES_MAX // 1024} KiB; a condition has at most {LENGTH_MAX} characters.",
        "",
        "Policies are attached to the platform, a tenant or an app, and all that are hold at once:"
        " a lower layer can only tighten. `default: deny` (or no default) denies what no rule of"
        " the same policy permits.",
        "",
    )


def _conditions() -> Iterable[str]:
    rows = [(f"`{form}`", said) for form, said in OPERATORS.values()]
    rows += [
        ("`list.exists(x, ...)`", "the condition holds for at least one item"),
        ("`list.all(x, ...)`", "it holds for every item, and for an empty list"),
    ]
    yield from (
        "## Conditions",
        "",
        "A subset of CEL in which nothing can fail: every fact has a value, types are checked when"
        " the text is read, there is no arithmetic and no loop inside a loop.",
        "",
        *_table(("form", "holds where"), [(_cell(form), said) for form, said in rows]),
        "",
        'Literals: `true`, `1`, `0.5`, `"text"` or `\'text\'`, `["a", "b"]`. Put a condition'
        " that begins with `!` or a quote in quotes of its own.",
        "",
    )


def _effects() -> Iterable[str]:
    yield from ("## Effects, and how they merge", "")
    for effect in EFFECTS:
        phases = "request and answer" if effect in ANSWER_EFFECTS else "request"
        yield from (f"### {effect}", "", f"In rules of the {phases}.", "")
        docs = _docs(effect)
        yield from (docs, "") if docs else ()
        yield from ("```yaml", _BODIES[effect], "```", "", _NOTES[effect], "")
        yield from (f"*Merging:* {_law(effect)}", "")
    later = "; ".join(f"`{name}`: {why}" for name, why in LATER.items())
    yield from (f"Refused when it is published: {later}.", "")


def _facts() -> Iterable[str]:
    rows = [
        (f"`{name}`", fact.type, _feed(fact), fact.doc)
        for name, fact in FACTS.items()
        if fact.phase == "request"
    ]
    answers = [
        (f"`{name}`", fact.type, _feed(fact), fact.doc)
        for name, fact in FACTS.items()
        if fact.phase == "answer"
    ]
    head = ("fact", "type", "from", "what it is")
    fields = ", ".join(f"`{name}` ({kind})" for name, kind in FINDING_FIELDS.items())
    yield from (
        "## Facts",
        "",
        f"Version {SCHEMA_VERSION} of the table. Facts hold no text of a prompt; what is not known"
        ' has a default: 0, "", false, an empty list, where nothing else is said.',
        "",
        *_table(head, rows),
        "",
        "Known in the answer phase only:",
        "",
        *_table(head, answers),
        "",
        f"A finding has {fields}.",
        "",
    )


def _streams() -> Iterable[str]:
    yield from (
        "## Streams",
        "",
        "A stream leaves as it comes where the first finding decides each enforced rule of the"
        " answer phase, and is gathered whole where one of them needs more; `policy check` names"
        " that rule and the reason. Nothing forbidden leaves either way (`streams.md`). These"
        " conditions, under `||`, or beside facts of the request under `&&`, let a rule deny in"
        " mid-stream:",
        "",
        "- a condition that reads facts of the request alone, and not `risk`;",
        "- `answer.pii.count > 0`, `answer.secret.count > 0`, `answer.custom.count > 0`,"
        " `size(list) > 0` of kinds, links, tainted hosts, tools or their faults;",
        '- `answer.pii.max_score >= 0.8`; `"CREDIT_CARD" in answer.pii.kinds`;',
        "- `in` and `exists` over these lists, and `exists` over `answer.findings` where"
        " `f.category` is `pii`, `secret` or `custom` (or `f.kind` a kind in capitals) and"
        " `f.score` is bounded from below.",
        "",
        "A redaction leaves as it comes where, besides, each finding that it takes out makes its"
        " condition hold: `when: true` always does. Where more than one rule redacts and one of"
        " them waits for a finding, all must have one method and one `min_score`. `sanitise`"
        " gathers; `tag`, `notify` and rules in shadow never do.",
        "",
    )


def _files() -> Iterable[str]:
    yield from (
        "## In a repository",
        "",
        "```sh",
        "python manage.py policy check policies/*.yaml   # 0 sound, 1 not, 2 not readable",
        "python manage.py policy test --json house-rules.yaml",
        "```",
        "",
        "Neither needs a server. Problems are printed as `file:line:column: message`.",
        "`docs/policy.schema.json` is the JSON Schema for editors"
        " (`# yaml-language-server: $schema=...` in the first line of a policy).",
        "",
    )


def _docs(effect: str) -> str:
    kinds = {kind.key: kind for kind in KINDS}
    return inspect.cleandoc(kinds[effect].__doc__ or "").split("\n")[0] if effect in kinds else ""


def _law(effect: str) -> str:
    kinds = {kind.key: kind for kind in KINDS}
    return _LAWS[effect] if effect in _LAWS else str(kinds[effect].merge.__doc__)


def _feed(fact: Fact) -> str:
    return {"": "", "all": "all detectors"}.get(fact.detector, fact.detector)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
