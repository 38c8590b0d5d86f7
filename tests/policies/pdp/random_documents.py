"""Random policies, as YAML texts, and the layers that they are attached to."""

import json
from collections.abc import Callable
from random import Random

from policies.pdp.decision import LAYERS
from policies.pdp.effects import ANSWER_EFFECTS, OBLIGATIONS
from policies.pdp.language import Document, parse_document
from policies.pdp.obligations import CARRIERS
from policies.pdp.program import Layered
from policies.pdp.request import FACTS
from tests.policies.pdp.random_conditions import Conditions

_REQUEST = frozenset(name for name, fact in FACTS.items() if fact.phase == "request")
_EFFECTS = ("deny", "permit", *OBLIGATIONS, "risk")
_HARMLESS = ("tag", "notify")


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
        known = _EFFECTS if phase == "request" else ANSWER_EFFECTS
        # The oldest four lead to most decisions, and so stand for half of all rules.
        often = [name for name in ("deny", "permit", "redact", "risk") if name in known]
        first = self._rng.choice(often if self._rng.random() < 0.5 else known)
        effects: dict[str, object] = {first: self._makers(phase)[first]()}
        if self._rng.random() < 0.3:
            beside = _HARMLESS if first == "deny" else tuple(set(known) - {"deny"})
            second = self._rng.choice(sorted(beside))
            effects[second] = self._makers(phase)[second]()
        return effects

    def _makers(self, phase: str) -> dict[str, Callable[[], object]]:
        rng = self._rng
        return {
            "deny": self._deny,
            "permit": lambda: True,
            "redact": lambda: self._redact(phase),
            "sanitise": lambda: self._some(list(CARRIERS)),
            "cap": self._cap,
            "route": lambda: rng.choice(["small", "large"]),
            "allow_models": lambda: self._some(["small", "large", "gpt-4o", "gpt-4"]),
            "allow_regions": lambda: self._some(["eu", "o", "4"]),
            "allow_tools": lambda: self._some(["eu", "o", "4", "gpt-4", "pii", "EMAIL"]),
            "add_system_prompt": lambda: rng.choice(["Be brief.", "Be kind.", "Say no secret."]),
            "set_default": self._set_default,
            "tag": lambda: {rng.choice(["team", "why"]): rng.choice(["a", "b"])},
            "notify": lambda: self._some(["security", "legal"]),
            "require": self._require,
            "risk": lambda: rng.choice([1, 2, 78, 79, 80]),
        }

    def _some(self, names: list[str]) -> list[str]:
        return self._rng.sample(names, self._rng.randint(1, len(names)))

    def _cap(self) -> dict[str, object]:
        bounds: dict[str, list[float]] = {
            "max_output_tokens": [100, 200, 300],
            "n": [1, 2, 79],
            "temperature": [0.0, 0.5],
            "messages": [1, 80],
            "bytes": [2, 80],
        }
        return {name: self._rng.choice(bounds[name]) for name in self._some(sorted(bounds))}

    def _set_default(self) -> dict[str, object]:
        values: dict[str, list[float]] = {
            "temperature": [0.0, 1.5],
            "top_p": [0.1],
            "max_output_tokens": [5, 7],
        }
        return {name: self._rng.choice(values[name]) for name in self._some(sorted(values))}

    def _require(self) -> dict[str, object]:
        parts = {"user": True, "headers": self._some(["gpt-4", "o"]), "metadata": ["eu"]}
        return {name: parts[name] for name in self._some(sorted(parts))}

    def _deny(self) -> dict[str, object]:
        messages = ["No.", "Risk {risk}.", "Kinds {pii.kinds} of {app.tier}.", "{{braces}}"]
        return {"message": self._rng.choice(messages), "remedy": self._rng.choice(["", "{call.n}"])}

    def _redact(self, phase: str) -> dict[str, object]:
        rng = self._rng
        parts: dict[str, object] = {
            "kinds": rng.choice(["all", ["A"], ["A", "B"], ["C"]]),
            "secrets": rng.choice(["all", ["a"], ["a", "b"]]),
            "links": True,
        }
        chosen = self._some(["kinds", "secrets", *(["links"] if phase == "answer" else [])])
        redact = {name: parts[name] for name in chosen}
        if chosen != ["links"]:
            redact["min_score"] = rng.choice([0.2, 0.4, 0.8])
        methods = ["drop", "mask", "hash"] if chosen == ["kinds"] else ["drop", "mask"]
        return {**redact, "method": rng.choice(methods)}
