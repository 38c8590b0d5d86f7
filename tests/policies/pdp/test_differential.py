"""Three readings of one condition agree: compiled, interpreted, and Google's CEL."""

from random import Random

import pytest
from cel_expr_python import cel

from policies.pdp.compile import Clause, compile_clauses
from policies.pdp.expression.formatter import format_condition
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.parser import parse_condition
from policies.pdp.request import DEFAULTS, FACTS
from tests.policies.pdp.random_conditions import Conditions, random_slots
from tests.thorough import times

_CEL_TYPES = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "double": cel.Type.DOUBLE,
    "string": cel.Type.STRING,
    "list<string>": cel.Type.List(cel.Type.STRING),
    "list<finding>": cel.Type.List(cel.Type.Map(cel.Type.STRING, cel.Type.DYN)),
}


@pytest.fixture(scope="module")
def google():
    return cel.NewEnv(variables={name: _CEL_TYPES[fact.type] for name, fact in FACTS.items()})


def _for_google(slots):
    data = {}
    for (name, fact), value in zip(FACTS.items(), slots, strict=True):
        match fact.type:
            case "list<finding>":
                data[name] = [item._asdict() for item in value]
            case "list<string>":
                data[name] = list(value)
            case _:
                data[name] = value
    return data


@pytest.mark.parametrize("seed", range(times(8)))
def test_compiled_and_interpreted_conditions_agree_with_google_cel(google, seed):
    rng = Random(seed)
    contexts = [list(DEFAULTS), *(random_slots(rng) for _ in range(9))]
    outcomes = []
    for _ in range(120):
        text = Conditions(rng).condition()
        tree = parse_condition(text)
        match = compile_clauses([Clause(tree)], adds_risk=False)
        oracle = google.compile(text)
        for slots in contexts:
            expected = oracle.eval(data=_for_google(slots)).value()
            assert isinstance(expected, bool)
            assert bool(match(slots)) is expected, text
            assert evaluate(tree, slots) is expected, text
            outcomes.append(expected)
    # A generator whose conditions are nearly all true or nearly all false would show nothing.
    assert 0.2 < sum(outcomes) / len(outcomes) < 0.8


@pytest.mark.parametrize("seed", range(times(4)))
def test_canonical_text_means_the_same_to_google_cel(google, seed):
    rng = Random(1000 + seed)
    contexts = [random_slots(rng) for _ in range(5)]
    for _ in range(100):
        text = Conditions(rng).condition()
        canonical = format_condition(parse_condition(text))
        before, after = google.compile(text), google.compile(canonical)
        for slots in contexts:
            data = _for_google(slots)
            assert after.eval(data=data).value() is before.eval(data=data).value(), text
