"""Random policies, as YAML texts, and the layers that they are attached to."""

import json
from collections.abc import Callable
from random import Random

from policies.pdp.decision import LAYERS
from policies.pdp.language import Document, parse_document
from policies.pdp.program import Layered
from policies.pdp.request import FACTS
from tests.policies.pdp.random_conditions import Conditions

_REQUEST = frozenset(name for name, fact in FACTS.items() if fact.phase == "request")
_EFFECTS = ("deny", "permit", "redact", "cap", "route", "risk")


def random_document(rng: Random, name: str = "p", most: int = 6) -> Document:
    return parse_document(random_text(rng, name, most))


def random_text(rng: Random, name: str = "p", most: int = 6) -> str:
    """Write a policy; at most one enforced rule routes."""
    rules = [_Writer(rng).rule(f"r{number}") for number in range(rng.randint(0, most))]
    routes = 0
    for rule in rules:
        if "route" in rule and rule["mode"] == "enforce":
            routes += 1
            if routes > 1:
                rule["mode"] = "shadow"
    document = {"policy": name, "default": rng.choice(["permit", "permit", "deny"]), "rules": rules}
    return json.dumps(document, ensure_ascii=False)


def random_layers(rng: Random, most: int = 3) -> list[Layered]:
    """Attach policies at layers; no layer has two routes."""
    layered = []
    routed = set()
    for number in range(rng.randint(0, most)):
        layer = rng.choice(LAYERS)
        document = random_document(rng, f"p{number}")
        routes = any(rule.route and rule.mode == "enforce" for rule in document.rules)
        if routes and layer in routed:
            continue
        routed |= {layer} if routes else set()
        layered.append(Layered(layer, f"p{number}", rng.randint(1, 9), document))
    return layered


class _Writer:
    def __init__(self, rng: Random) -> None:
        self._rng = rng

    def rule(self, rule_id: str) -> dict[str, object]:
        rng = self._rng
        phase = rng.choice(["request", "request", "answer"])
        effects = self._effects(phase)
        reads = _REQUEST if phase == "request" else frozenset(FACTS)
        if "risk" in effects:
            reads -= {"risk"}
        return {
            "id": rule_id,
            "phase": phase,
            "mode": rng.choices(["enforce", "shadow", "disabled"], [7, 2, 1])[0],
            "when": Conditions(rng, reads).condition(2),
            "on_error": rng.choice(["deny", "skip"]),
            **effects,
        }

    def _effects(self, phase: str) -> dict[str, object]:
        first = self._rng.choice(_EFFECTS if phase == "request" else ("deny", "redact"))
        if first == "deny":
            return {"deny": self._deny()}
        effects: dict[str, object] = {first: self._makers()[first]()}
        if phase == "request" and self._rng.random() < 0.3:
            second = self._rng.choice(_EFFECTS[1:])
            effects[second] = self._makers()[second]()
        return effects

    def _makers(self) -> dict[str, Callable[[], object]]:
        return {
            "permit": lambda: True,
            "redact": self._redact,
            "cap": lambda: {"max_output_tokens": self._rng.choice([100, 200, 300])},
            "route": lambda: self._rng.choice(["small", "large"]),
            "risk": lambda: self._rng.choice([1, 2, 78, 79, 80]),
        }

    def _deny(self) -> dict[str, object]:
        messages = ["No.", "Risk {risk}.", "Kinds {pii.kinds} of {app.tier}.", "{{braces}}"]
        return {"message": self._rng.choice(messages), "remedy": self._rng.choice(["", "{call.n}"])}

    def _redact(self) -> dict[str, object]:
        return {
            "kinds": self._rng.choice(["all", ["A"], ["A", "B"], ["C"]]),
            "min_score": self._rng.choice([0.2, 0.4, 0.8]),
            "method": self._rng.choice(["drop", "mask", "hash"]),
        }
