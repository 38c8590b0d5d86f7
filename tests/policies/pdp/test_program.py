"""A program: what is judged, what is kept, and the interpreter's twin of it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from policies.pdp import program as program_module
from policies.pdp.language import parse_document
from policies.pdp.program import Layered, Program, bind
from policies.pdp.request import DEFAULTS, SLOTS
from tests.policies.pdp.random_conditions import random_slots
from tests.policies.pdp.random_documents import random_layers

_TEXT = """\
policy: p
default: permit
rules:
  - {id: a, when: call.stream, deny: {message: No}}
  - {id: b, when: call.n > 1, deny: {message: "{call.n}"}}
  - {id: c, when: true, mode: disabled, deny: {message: No}}
  - {id: d, when: pii.count > 1, mode: shadow, deny: {message: No}}
  - {id: e, phase: answer, when: answer.bytes > 1, deny: {message: No}}
  - {id: f, when: pii.count > 1, on_error: skip, deny: {message: No}}
"""
_LAYERED = [Layered("tenant", "p", 1, parse_document(_TEXT))]
_NONE = frozenset[str]()


def test_rules_are_bound_by_phase_in_the_order_of_the_text():
    assert [str(item.ref) for item in bind(_LAYERED, "request")] == [
        "p/a",
        "p/b",
        "p/c",
        "p/d",
        "p/f",
    ]
    assert [str(item.ref) for item in bind(_LAYERED, "answer")] == ["p/e"]


def test_disabled_rules_and_rules_of_failed_detectors_are_not_judged():
    whole = Program(_LAYERED, "request", _NONE)
    impaired = Program(_LAYERED, "request", frozenset({"pii"}))
    assert [item.rule.id for item in whole.judged] == ["a", "b", "d", "f"]
    assert [item.rule.id for item in impaired.judged] == ["a", "b"]
    assert impaired.outcome(0).decision.shadow == ("p/d",)


def test_without_policies_nothing_is_permitted():
    program = Program([], "request", _NONE)
    assert program.match(DEFAULTS) == 0
    assert not program.resolve(0, DEFAULTS).permitted


def test_a_request_needs_a_permit_of_a_closed_policy_and_an_answer_does_not():
    text = "policy: p\nrules:\n  - {id: a, when: true, permit: true}\n"
    closed = [Layered("tenant", "p", 1, parse_document(text))]
    assert not Program(closed, "request", _NONE).outcome(0).decision.permitted
    assert Program(closed, "request", _NONE).outcome(1).decision.permitted
    assert Program(closed, "answer", _NONE).outcome(0).decision.permitted


def test_a_decision_is_kept_unless_its_sentences_show_facts():
    program = Program(_LAYERED, "request", _NONE)
    slots = list(DEFAULTS)
    slots[SLOTS["call.stream"]] = True
    first = program.resolve(0b01, slots)
    assert program.ready == {0b01: first}
    slots[SLOTS["call.stream"]], slots[SLOTS["call.n"]] = False, 7
    assert program.resolve(0b10, slots).message == "7"
    slots[SLOTS["call.n"]] = 8
    assert program.resolve(0b10, slots).message == "8"
    assert 0b10 not in program.ready


def test_what_is_kept_is_bounded():
    rules = "".join(f"  - {{id: r{n}, when: call.n == {n}, risk: 1}}\n" for n in range(13))
    layered = [Layered("app", "p", 1, parse_document(f"policy: p\nrules:\n{rules}"))]
    program = Program(layered, "request", _NONE)
    for mask in range(program_module.REMEMBERED_MAX + 5):
        program.resolve(mask, DEFAULTS)
        assert len(program.ready) <= program_module.REMEMBERED_MAX
    assert len(program.ready) == 5
    assert program.resolve(3, DEFAULTS).contributions == (("p/r0", 1), ("p/r1", 1))


@given(st.integers(0, 2**32), st.sampled_from(["request", "answer"]))
def test_the_interpreter_finds_the_mask_of_the_compiled_function(seed, phase):
    rng = Random(seed)
    program = Program(random_layers(rng), phase, _NONE)
    for _ in range(5):
        slots = random_slots(rng)
        before = list(slots)
        mask, seen = program.interpret(slots)
        assert program.match(slots) == mask
        assert slots == before
        if phase == "answer":
            assert seen == slots
