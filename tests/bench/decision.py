"""How long a decision takes, in microseconds and as a multiple of a fixed piece of plain Python.

    python -m tests.bench.decision

Facts change from call to call, so that each set of matching rules is met many times, as in service.
"""

import time
from random import Random

from policies.pdp.evaluate import EffectivePolicy
from policies.pdp.language import parse_document
from policies.pdp.program import Layered
from policies.pdp.request import DEFAULTS, SLOTS, FindingFact

ROUNDS = 20_000
_FACTS = {
    "tenant.name": "acme",
    "app.name": "helpdesk",
    "app.tier": "free",
    "model.asked": "gpt-4o-mini",
    "model.routed": "gpt-4o-mini",
    "model.provider": "openai",
    "model.region": "eu",
    "call.endpoint": "chat.completions",
    "call.messages": 6,
    "call.bytes": 2400,
    "call.roles": ("system", "user"),
    "call.tags": ("team=support",),
}
_SHAPES = (
    ("call.n > {n}", "deny: {{message: Too many.}}"),
    ("call.messages > 2{n} || call.bytes > 9{n}000", "deny: {{message: Too long.}}"),
    (
        'app.tier == "free" && call.max_output_tokens > {n}00',
        "cap: {{max_output_tokens: 512}}",
    ),
    ("pii.count > {n} && pii.max_score >= 0.5", "redact: {{kinds: all}}"),
    ('"tool{n}" in call.tools', "deny: {{message: Not that tool.}}"),
    ('model.asked.startsWith("gpt-5{n}")', "risk: 3"),
    (
        'findings.exists(f, f.kind == "US_SSN" && f.score > 0.{n})',
        "deny: {{message: No.}}",
    ),
    ('user.id.matches("^svc-{n}")', "risk: 5"),
    ('source.hour < {n} && app.name in ["a", "b", "helpdesk"]', "risk: 1"),
    ("risk > 9{n}", "deny: {{message: Too risky.}}"),
)


_BOUNDS = """
  - {id: models, when: true, allow_models: [gpt-4o-mini, gpt-4o]}
  - {id: regions, when: true, allow_regions: [eu]}
  - {id: tagged, when: true, require: {metadata: [team]}, cap: {n: 4, messages: 100}}
"""


def policy(rules: int, more: str = "") -> EffectivePolicy:
    """Return an effective policy of so many rules of many shapes, and of those in `more`."""
    lines = []
    for number in range(rules):
        when, effect = (
            part.format(n=number // 10 % 9 + 1) for part in _SHAPES[number % len(_SHAPES)]
        )
        lines.append(f"  - id: r{number}\n    when: '{when}'\n    {effect}")
    text = "\n".join(["policy: bench", "default: permit", "rules:", *lines, more])
    return EffectivePolicy([Layered("tenant", "bench", 1, parse_document(text))])


def facts(count: int) -> list[list[object]]:
    """Return slot vectors of calls, of which some hold findings."""
    draw = Random(1)
    vectors = []
    for _ in range(count):
        slots: list[object] = list(DEFAULTS)
        for name, value in _FACTS.items():
            slots[SLOTS[name]] = value
        slots[SLOTS["source.hour"]] = draw.randrange(24)
        slots[SLOTS["call.max_output_tokens"]] = draw.choice([0, 256, 1024])
        if draw.random() < 0.2:
            found = FindingFact("EMAIL_ADDRESS", "pii", 0.9, "user", 2)
            slots[SLOTS["findings"]] = (found,)
            slots[SLOTS["pii.count"]], slots[SLOTS["pii.max_score"]] = 2, 0.9
        vectors.append(slots)
    return vectors


def measure(effective: EffectivePolicy) -> float:
    """Return the fewest microseconds that one decision took, over several rounds."""
    vectors = facts(500)
    for slots in vectors:
        effective.decide("request", slots)  # type: ignore[arg-type]
    best = float("inf")
    for _ in range(max(3, ROUNDS // len(vectors))):
        start = time.perf_counter()
        for slots in vectors:
            effective.decide("request", slots)  # type: ignore[arg-type]
        best = min(best, time.perf_counter() - start)
    return best / len(vectors) * 1e6


def main() -> None:
    """Print a table."""
    start = time.perf_counter()
    sum(index * index % 7 for index in range(1500))
    yardstick = (time.perf_counter() - start) * 1e6
    print(f"yardstick {yardstick:.0f} µs")
    for label, effective in (
        ("10 rules", policy(10)),
        ("50 rules", policy(50)),
        ("47 rules and 3 that bound", policy(47, _BOUNDS)),
        ("500 rules", policy(500)),
    ):
        taken = measure(effective)
        print(f"  {label:26} {taken:8.2f} µs {taken / yardstick:8.3f} x")


if __name__ == "__main__":
    main()
