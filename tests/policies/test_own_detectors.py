"""Detectors as they are declared: every fault at its place, with what would solve it."""

import pytest
from django.core.exceptions import ValidationError

from policies import own_detectors
from policies.detectors.custom import Custom, CustomDetector
from policies.own_detectors import of_json, ordered, read, written
from policies.pdp.problem import PolicyError
from policies.pdp.yaml_text import read_yaml

WHOLE = """\
- kind: PROJECT_CODENAME
  words: [Bluebird, Red Kite]
  score: 0.8
  case_sensitive: true
  whole_words: false
- kind: CUSTOMER_NUMBER
  patterns: ['CN-\\d{8}', 'begin[\\s\\S]*end']
  validator: luhn
  max_length: 80
"""
VALUES = (
    CustomDetector(
        "PROJECT_CODENAME",
        words=("Bluebird", "Red Kite"),
        score=0.8,
        case_sensitive=True,
        whole_words=False,
    ),
    CustomDetector(
        "CUSTOMER_NUMBER",
        patterns=(r"CN-\d{8}", r"begin[\s\S]*end"),
        validator="luhn",
        max_length=80,
    ),
)


def test_a_whole_list_is_read_written_and_read_again():
    assert read(read_yaml(WHOLE)) == VALUES
    assert of_json(written(VALUES)) == VALUES
    assert Custom(VALUES).kinds == {"PROJECT_CODENAME", "CUSTOMER_NUMBER"}


def test_what_goes_without_saying_is_not_written():
    assert written([CustomDetector("A", words=("b",))]) == [{"kind": "A", "words": ["b"]}]
    assert ordered([{"words": ["b"], "kind": "A"}]) == [{"kind": "A", "words": ["b"]}]
    assert list(ordered([{"words": ["b"], "kind": "A"}])[0]) == ["kind", "words"]


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("- {kind: A, words: [x], socre: 1}", (1, 25), 'no key "socre"', "score"),
        ("- {words: [x]}", (1, 3), "needs the key kind", ""),
        ("- {kind: project, words: [x]}", (1, 10), "is not a kind", ""),
        ("- {kind: EMAIL_ADDRESS, words: [x]}", (1, 10), "personal data already", "another"),
        ("- {kind: A}", (1, 3), "looks for nothing", "words or patterns"),
        ("- {kind: A, words: ['']}", (1, 21), "empty", ""),
        ("- {kind: A, words: ['\u200b']}", (1, 21), "nothing of the word", ""),
        ("- {kind: A, words: [x], score: 2}", (1, 32), "not between", ""),
        ("- {kind: A, words: [x], validator: lunh}", (1, 36), "expected one of", "luhn"),
        ("- {kind: A, words: [x], max_length: 9}", (1, 25), "is for patterns", "leave it out"),
        ("- {kind: A, patterns: [x], whole_words: true}", (1, 28), "is for words", r"\b"),
        ("- {kind: A, patterns: ['ab(?=c)']}", (1, 27), "character 3: RE2 has no look-a", "leave"),
        (r"- {kind: A, patterns: ['(a)\1']}", (1, 28), "no back-references", "write out"),
        ("- {kind: A, patterns: ['a*']}", (1, 25), "where nothing stands", "write +"),
        (r"- {kind: A, patterns: ['a\s+b']}", (1, 25), "no longest", "max_length"),
        ("- {kind: A, patterns: ['a{1001}']}", (1, 26), "RE2 refuses it", ""),
        (r"- {kind: A, patterns: ['\pL{1,40}']}", (1, 25), "instructions", "[a-z]"),
        ("- {kind: A, words: [x]}\n- {kind: A, words: [y]}", (2, 10), "stands twice", "one"),
        ("a: b", (1, 1), "expected a list", ""),
    ],
)
def test_each_fault_is_told_at_its_place(text, place, message, hint):
    with pytest.raises(PolicyError) as error:
        read(read_yaml(text))
    assert (error.value.line, error.value.column) == place
    assert message in error.value.message
    assert hint in error.value.hint


def test_json_has_paths_for_places():
    value = [{"kind": "A", "patterns": ["x", "ab(?=c)"]}, {"kind": "B", "words": ["\0"]}]
    with pytest.raises(ValidationError) as error:
        of_json(value[:1])
    (said,) = error.value.message_dict["detectors"]
    assert said.startswith("detectors[0].patterns[1]: the pattern, character 3: RE2 has no look-")
    with pytest.raises(ValidationError, match=r"detectors\[1\].words\[0\]: U\+0000"):
        of_json(value)
    with pytest.raises(ValidationError, match="detectors: expected a list"):
        of_json({})


def test_a_tenant_looks_for_so_much_and_no_more():
    words = {"kind": "A", "words": ["x"] * 1500}
    many = [{"kind": f"P{number}", "patterns": ["x", "y", "z"]} for number in range(70)]
    large = [{"kind": f"L{number}", "patterns": ["[a-z]{1,999}"] * 11} for number in range(6)]
    for value, said in (
        ([words, {**words, "kind": "B"}], "3,000 words"),
        (many, "210 patterns"),
        (large, "instructions of all patterns"),
        ([{"kind": f"D{number}", "words": ["x"]} for number in range(101)], "more than 100 items"),
        ([{"kind": "A", "words": ["a b" * 33] * 250}], "8,250 blanks in all words"),
        ([{"kind": "A", "words": ["\ufdfa" * 6]}], "written out, the word is longer"),
        ([{"kind": "A", "words": ["\u3320" * 40]}], "written out, the word is longer"),
        ([{"kind": "A", "words": ["\u5b57" * 90] * 1000}], "bytes, and 262,144 is the most"),
        (
            [{"kind": f"L{number}", "patterns": [r"\pL{100}"] * 200} for number in range(3)],
            "600 patterns",
        ),
    ):
        with pytest.raises(ValidationError, match=said):
            of_json(value)
    assert own_detectors.checked(many[:60])


def test_only_the_first_faults_of_patterns_are_told():
    hopeless = [rf"\pL{{100}}{number}" for number in range(200)]
    with pytest.raises(ValidationError) as error:
        of_json([{"kind": "A", "patterns": hopeless}])
    said = error.value.message_dict["detectors"]
    assert len(said) == own_detectors.FAULTS_MAX
    assert said[0].startswith("detectors[0].patterns[0]: the pattern, character 1: with it RE2")


def test_what_is_accepted_can_be_used():
    phrases = [" ".join([f"{number:06}", "lorems", "ipsums", "dolors"]) for number in range(2000)]
    (detector,) = of_json([{"kind": "A", "words": phrases}])
    assert len(detector.words) == 2000


def test_what_re2_cannot_prepare_is_known():
    assert not own_detectors._can_be_used((CustomDetector("A", patterns=("a{2000}",)),))
    assert own_detectors._can_be_used(VALUES)
