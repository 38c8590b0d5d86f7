"""Random typed conditions and random facts that meet their constants often.

Constants and facts come from the same few values, so that comparisons are decided at, just under
and just over their bounds.
"""

import json
from random import Random

from policies.pdp.request import FACTS, FINDING_FIELDS, FactType, FactValue, FindingFact

STRINGS = ["", "gpt-4o", "gpt-4", "o", "4", "eu", "pii", "EMAIL", "é✓", "a'b", 'q"x', "back\\slash"]
INTS = [-1, 0, 1, 2, 3, 79, 80, 81]
DOUBLES = [-1.0, 0.0, 0.25, 0.5, 0.50001, 0.75, 1.0, 1e-05, 1e16]
PATTERNS = ["^gpt", "o$", "[a-z]+-4", ".*", "(a|b)c?", r"\d", "^$", "(?i)EMAIL"]
COMPARISONS = ["==", "!=", "<", "<=", ">", ">="]

BY_TYPE: dict[str, list[str]] = {}
for _name, _fact in FACTS.items():
    BY_TYPE.setdefault(_fact.type, []).append(_name)


def random_value(rng: Random, fact_type: FactType) -> FactValue:
    match fact_type:
        case "bool":
            return rng.random() < 0.5
        case "int":
            return rng.choice(INTS)
        case "double":
            return rng.choice(DOUBLES)
        case "string":
            return rng.choice(STRINGS)
        case "list<string>":
            return rng.sample(STRINGS, rng.randint(0, 3))
        case "list<finding>":
            return [random_finding(rng) for _ in range(rng.randint(0, 3))]


def random_finding(rng: Random) -> FindingFact:
    return FindingFact(
        kind=rng.choice(STRINGS),
        category=rng.choice(["pii", "injection"]),
        score=rng.choice(DOUBLES),
        place=rng.choice(STRINGS),
        count=rng.choice(INTS),
    )


def random_slots(rng: Random) -> list[FactValue]:
    return [random_value(rng, fact.type) for fact in FACTS.values()]


class Conditions:
    """Writes conditions; `reads` limits the facts, `depth` the nesting."""

    def __init__(self, rng: Random, reads: frozenset[str] = frozenset(FACTS)) -> None:
        self._rng = rng
        self._facts = {
            kind: [name for name in names if name in reads] for kind, names in BY_TYPE.items()
        }
        self._element: tuple[str, bool] | None = None

    def condition(self, depth: int = 4) -> str:
        roll = self._rng.random()
        if depth <= 0 or roll < 0.35:
            return self._leaf(depth)
        if roll < 0.75:
            sign = self._rng.choice([" && ", " || ", "&&", "\n || "])
            parts = [self.condition(depth - 1) for _ in range(self._rng.randint(2, 3))]
            return f"({sign.join(parts)})"
        if roll < 0.85:
            return f"!({self.condition(depth - 1)})"
        if roll < 0.9:
            sides = f"({self.condition(depth - 1)})", f"({self.condition(depth - 1)})"
            return self._rng.choice([" == ", " != "]).join(sides)
        return self.condition(depth - 1)

    def _leaf(self, depth: int) -> str:
        leaves = [self._comparison, self._comparison, self._membership, self._string_test]
        leaves += [self._matches, self._bool]
        if self._element is None:
            leaves += [lambda: self._quantifier(depth)] * 2
        return self._rng.choice(leaves)()

    def _comparison(self) -> str:
        kind = self._rng.choice(["string", "int", "double"])
        return f"{self._term(kind)} {self._rng.choice(COMPARISONS)} {self._term(kind)}"

    def _membership(self) -> str:
        if self._rng.random() < 0.4:
            return f"{self._term('string')} in {self._rng.choice(self._facts['list<string>'])}"
        kind = self._rng.choice(["string", "int", "double"])
        items = ", ".join(self._constant(kind) for _ in range(self._rng.randint(1, 4)))
        return f"{self._term(kind)} in [{items}]"

    def _string_test(self) -> str:
        method = self._rng.choice(["startsWith", "endsWith", "contains"])
        return f"{self._term('string')}.{method}({self._term('string')})"

    def _matches(self) -> str:
        return f"{self._term('string')}.matches({self._quoted(self._rng.choice(PATTERNS))})"

    def _bool(self) -> str:
        return self._rng.choice([*self._facts["bool"], "true", "false"])

    def _quantifier(self, depth: int) -> str:
        kind = self._rng.choice(["exists", "all"])
        findings = self._rng.random() < 0.6
        over = self._rng.choice(self._facts["list<finding>" if findings else "list<string>"])
        variable = self._rng.choice(["f", "item", "x_1"])
        self._element = (variable, findings)
        body = self.condition(depth - 1)
        self._element = None
        return f"{over}.{kind}({variable}, {body})"

    def _term(self, kind: str) -> str:
        if self._element is not None and self._rng.random() < 0.6:
            variable, findings = self._element
            fields = [name for name, of in FINDING_FIELDS.items() if of == kind]
            if findings and fields:
                return f"{variable}.{self._rng.choice(fields)}"
            if not findings and kind == "string":
                return variable
        if kind == "int" and self._rng.random() < 0.2:
            lists = self._facts["list<string>"] + self._facts["list<finding>"]
            return f"size({self._rng.choice(lists + self._facts['string'])})"
        if self._rng.random() < 0.7:
            return self._rng.choice(self._facts[kind])
        return self._constant(kind)

    def _constant(self, kind: str) -> str:
        if kind == "string":
            return self._quoted(self._rng.choice(STRINGS))
        return repr(self._rng.choice(INTS if kind == "int" else DOUBLES))

    def _quoted(self, text: str) -> str:
        if self._rng.random() < 0.7:
            return json.dumps(text, ensure_ascii=self._rng.random() < 0.5)
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
