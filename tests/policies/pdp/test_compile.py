"""The generated function: its shape, its harmlessness, and that no part of it could be another."""

import builtins
import io
import keyword
import re
import tokenize
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.pdp.compile import Clause, Generated, Match, build, compile_clauses, generate
from policies.pdp.expression.interpreter import evaluate
from policies.pdp.expression.parser import DEPTH_MAX, parse_condition
from policies.pdp.request import DEFAULTS, RISK_MAX, SLOTS, FactValue, FindingFact
from tests.policies.pdp.random_conditions import Conditions, random_slots
from tests.thorough import times


def _clauses(*texts: str | tuple[str, int]) -> list[Clause]:
    pairs = [(text, 0) if isinstance(text, str) else text for text in texts]
    return [Clause(parse_condition(text), points) for text, points in pairs]


def _slots(**facts: FactValue) -> list[FactValue]:
    slots = list(DEFAULTS)
    for name, value in facts.items():
        slots[SLOTS[name.replace("__", ".")]] = value
    return slots


def _expected(clauses: list[Clause], slots: list[FactValue], *, adds_risk: bool) -> int:
    """The mask, by the interpreter and the definition of the two stages."""
    seen = list(slots)
    if adds_risk:
        points = (clause.points for clause in clauses if evaluate(clause.condition, seen))
        seen[SLOTS["risk"]] = min(sum(points), RISK_MAX)
    return sum(1 << bit for bit, clause in enumerate(clauses) if evaluate(clause.condition, seen))


def test_bit_n_stands_for_clause_n():
    match = compile_clauses(_clauses("false", "true", "call.stream", "true"), adds_risk=False)
    assert match(_slots()) == 0b1010
    assert match(_slots(call__stream=True)) == 0b1110


def test_no_clauses_match_nothing():
    assert compile_clauses([], adds_risk=True)(DEFAULTS) == 0


def test_more_clauses_than_bits_of_a_machine_word():
    match = compile_clauses(_clauses(*["call.stream"] * 200), adds_risk=False)
    assert match(_slots(call__stream=True)) == 2**200 - 1


def test_case_22_risk_is_summed_before_the_clauses_that_read_it_whatever_their_order():
    clauses = _clauses(
        "risk >= 80",
        ("call.stream", 50),
        "risk == 50",
        ("user.present", 30),
    )
    match = compile_clauses(clauses, adds_risk=True)
    assert match(_slots(call__stream=True, user__present=True)) == 0b1011
    assert match(_slots(call__stream=True)) == 0b0110
    assert match(_slots(risk=100)) == 0


def test_case_22_the_sum_of_risk_is_capped():
    clauses = _clauses(
        ("true", RISK_MAX), ("true", RISK_MAX), f"risk == {RISK_MAX}", f"risk > {RISK_MAX}"
    )
    assert compile_clauses(clauses, adds_risk=True)(DEFAULTS) == 0b0111


def test_without_risk_rules_the_slot_is_read():
    match = compile_clauses(_clauses("risk >= 80"), adds_risk=False)
    assert match(_slots(risk=80)) == 1
    assert match(_slots(risk=79)) == 0


def test_each_fact_is_loaded_once():
    source = generate(_clauses("risk > 1", "risk > 2 && call.n > 1"), adds_risk=False).source
    assert source.count("= s[") == 2


def test_equal_constants_of_other_types_are_not_mixed_up():
    generated = generate(
        _clauses("call.stream == true", "call.n == 1", "pii.max_score == 1.0"), adds_risk=False
    )
    assert sorted(map(repr, generated.constants.values())) == ["1", "1.0", "True"]


def test_the_deepest_condition_still_compiles():
    for text in (
        "(" * (DEPTH_MAX - 1) + "call.stream" + ")" * (DEPTH_MAX - 1),
        "!" * (DEPTH_MAX - 1) + "call.stream",
        "!(" * (DEPTH_MAX // 2 - 1) + "call.stream" + ")" * (DEPTH_MAX // 2 - 1),
        "(true && (false || " * (DEPTH_MAX // 2 - 1) + "call.stream" + "))" * (DEPTH_MAX // 2 - 1),
        "call.tools.exists(t, " + "(true == (" * 14 + "call.stream" + "))" * 14 + ")",
    ):
        clauses = _clauses(text)
        match = compile_clauses(clauses, adds_risk=False)
        for stream in (True, False):
            slots = _slots(call__stream=stream, call__tools=["a"])
            assert match(slots) == _expected(clauses, slots, adds_risk=False)


@given(st.integers(0, 2**32), st.booleans())
def test_compiled_clauses_agree_with_the_interpreter(seed, adds_risk):
    rng = Random(seed)
    without_risk = frozenset(SLOTS) - {"risk"}
    clauses = [
        Clause(parse_condition(Conditions(rng, without_risk).condition(2)), points)
        for points in (0, 5, 74)
    ]
    clauses += [Clause(parse_condition(Conditions(rng).condition(2))) for _ in range(4)]
    rng.shuffle(clauses)
    match = compile_clauses(clauses, adds_risk=adds_risk)
    for slots in [list(DEFAULTS), *(random_slots(rng) for _ in range(5))]:
        assert match(slots) == _expected(clauses, slots, adds_risk=adds_risk)


# No text of a rule gets into the code (P7).

_HOSTILE = [
    "__import__('os').system('x')",
    "f0); import os #",
    '"""',
    "K0",
    "{0}{__class__}",
    "\n  m = 0",
    "exec",
]
_OURS = re.compile(
    r"(?:def|match|s|m|l|x|if|else|for|in|and|or|not|return|len|True|False"
    r"|startswith|endswith|kind|category|score|place|count|[fKq][0-9]+)"
)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def test_no_text_of_a_rule_is_in_the_source():
    clauses = []
    for text in _HOSTILE:
        quoted = _quote(text)
        clauses += _clauses(
            f"app.tier == {quoted}",
            f"app.tier in [{quoted}, 'b']",
            f"app.tier.contains({quoted})",
            f"findings.exists(exec, exec.kind == {quoted})",
            f"app.tier.matches({_quote(re.escape(text))})",
            "risk > 123456789 && pii.max_score > 0.123456789",
        )
    generated = generate(clauses, adds_risk=True)
    for token in tokenize.generate_tokens(io.StringIO(generated.source).readline):
        assert token.type not in (tokenize.STRING, tokenize.COMMENT)
        if token.type == tokenize.NAME:
            assert _OURS.fullmatch(token.string), token
        if token.type == tokenize.NUMBER:
            # Slots and bits, never a number of a rule.
            assert token.string not in ("123456789", "0.123456789")
    for text in _HOSTILE:
        slots = _slots(app__tier=text)
        assert build(generated)(slots) == _expected(clauses, slots, adds_risk=True)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\n\r"), max_size=40)
)
def test_any_constant_is_compared_and_never_run(text):
    clauses = _clauses(f"app.tier == {_quote(text)}", f"app.tier.endsWith({_quote(text)})")
    match = compile_clauses(clauses, adds_risk=False)
    assert match(_slots(app__tier=text)) == 0b11
    assert match(_slots(app__tier="x" + text)) == 0b10


def test_the_function_has_no_builtins_but_len():
    match = compile_clauses(_clauses("size(call.tools) > 1"), adds_risk=False)
    reachable = match.__globals__["__builtins__"]
    assert reachable == {"len": len}
    assert set(dir(builtins)) & set(match.__globals__) == set()
    assert not keyword.iskeyword("K0")


# Mutants: each single change of the generated code is found by the comparison with the interpreter.

_BUNDLE = [
    "risk >= 80",
    "risk == 30",
    ("call.bytes > 10", 50),
    ("call.n != 2", 30),
    "call.messages < 3 && call.images <= 1",
    "call.stream || user.present",
    "!(call.stream == user.present)",
    'app.tier in ["free", "trial"]',
    '"mail" in call.tools',
    'model.asked.startsWith("gpt")',
    'model.asked.endsWith("mini")',
    'app.name.contains("help")',
    'app.name.matches("^h.*k$")',
    "size(call.roles) == 2",
    'findings.exists(f, f.category == "pii" && f.score >= pii.max_score)',
    'findings.all(f, f.kind != "X" || f.count < 2 || f.place == "tool")',
    "call.tags.all(t, !t.startsWith(key.name))",
    "pii.max_score > 0.5",
]

_SWAPS = [
    (r"(?<= )>(?= )", ">="),
    (r"(?<= )>=(?= )", ">"),
    (r"(?<= )<(?= )", "<="),
    (r"(?<= )<=(?= )", "<"),
    (r"(?<= )==(?= )", "!="),
    (r"(?<= )!=(?= )", "=="),
    (r"(?<!for x )in(?= )", "not in"),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"\bnot ", ""),
    (r"\bstartswith\b", "endswith"),
    (r"\bendswith\b", "startswith"),
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r"(?<=m \+= )[0-9]+", "0"),
    (r"(?<=f38 )\+=", "="),
    (r"(?<=f38 )\+=", "-="),
    (r"(?<=f38 = )0", "1"),
    (r"(?<= = s\[)[0-9]+", str(SLOTS["call.audio"])),
    (r"(?<=\()f[0-9]+(?=,|\))", "f38"),
    (r"(?<=return )m", "m + 1"),
    (r"(?<=m = )0", "4"),
    (r"\bx\.(?:kind|category|place)\b", "x[0]+x[1]"),
    (r"\bif f38 > K[0-9]+:", "if m < 0:"),
]


def _mutants(source: str) -> list[str]:
    return [
        source[: found.start()] + replacement + source[found.end() :]
        for pattern, replacement in _SWAPS
        for found in re.finditer(pattern, source)
        if found.group() != replacement
    ]


def _boundary_slots(rng: Random) -> list[FactValue]:
    findings = [
        FindingFact(
            rng.choice(["X", "Y"]),
            rng.choice(["pii", "injection"]),
            rng.choice([0.49, 0.5, 0.51]),
            rng.choice(["user", "tool"]),
            rng.choice([1, 2, 3]),
        )
        for _ in range(rng.randint(0, 2))
    ]
    return _slots(
        call__bytes=rng.choice([9, 10, 11]),
        call__n=rng.choice([1, 2, 3]),
        call__messages=rng.choice([2, 3, 4]),
        call__images=rng.choice([0, 1, 2]),
        call__stream=rng.random() < 0.5,
        user__present=rng.random() < 0.5,
        app__tier=rng.choice(["free", "trial", "pro"]),
        call__tools=rng.choice([[], ["mail"], ["search", "mail"], ["search"]]),
        model__asked=rng.choice(["gpt-mini", "mini-gpt", "gpt", "mini", "x"]),
        app__name=rng.choice(["helpdesk", "xhelpdeskx", "hk", "help"]),
        call__roles=rng.choice([[], ["a"], ["a", "b"], ["a", "b", "c"]]),
        call__tags=rng.choice([[], ["team=a"], ["x=1", "team=a"], ["a-team"]]),
        key__name=rng.choice(["team", "a"]),
        findings=findings,
        pii__max_score=rng.choice([0.49, 0.5, 0.51]),
        risk=rng.choice([0, 80]),
    )


def test_every_mutant_of_the_generated_code_is_caught():
    last = ("call.audio > 0", RISK_MAX - 1)
    clauses = _clauses(*_BUNDLE, last, f"risk == {RISK_MAX}", f"risk == {RISK_MAX - 1}")
    generated = generate(clauses, adds_risk=True)
    rng = Random(22)
    contexts = [_boundary_slots(rng) for _ in range(times(1500))]
    contexts += [[*slots] for slots in contexts[:200]]
    for slots in contexts[-200:]:
        slots[SLOTS["call.audio"]] = rng.choice([0, 1])
    expected = [_expected(clauses, slots, adds_risk=True) for slots in contexts]
    cases = list(zip(contexts, expected, strict=True))
    assert _agrees(build(generated), cases)
    mutants = _mutants(generated.source)
    assert len(mutants) > 90
    survivors = [
        mutant
        for mutant in mutants
        if _agrees(build(Generated(mutant, generated.constants)), cases)
    ]
    # The sum begins at 0, so its first addition may as well be an assignment; and a sum that is
    # just the cap may as well be capped.
    source = generated.source
    equal = [source.replace("f38 += ", "f38 = ", 1), source.replace("if f38 > ", "if f38 >= ", 1)]
    assert sorted(survivors) == sorted(equal)


def _agrees(match: Match, cases: list[tuple[list[FactValue], int]]) -> bool:
    try:
        return all(match(slots) == expected for slots, expected in cases)
    except (TypeError, AttributeError, NameError):
        return False


@pytest.mark.parametrize("name", ["K0", "K1"])
def test_a_changed_constant_is_caught(name):
    clauses = _clauses("call.bytes > 10", 'app.tier == "free"')
    generated = generate(clauses, adds_risk=False)
    changed = {**generated.constants, name: 11 if name == "K0" else "Free"}
    slots = _slots(call__bytes=11, app__tier="free")
    assert build(generated)(slots) == 0b11
    assert build(Generated(generated.source, changed))(slots) != 0b11
