"""Nothing hides in the seam between two parts of a message, and no part disguises another."""

import pytest

from gateway.exchange import Endpoint
from gateway.providers.openai import leaves
from gateway.proxy import seams
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.scanner import DetectorConfig, Scanner

NEEDS = frozenset({"pii"})


@pytest.fixture(scope="module")
def scanner():
    return Scanner(DetectorConfig())


def view_of(*texts, more=()):
    content = [{"type": "text", "text": text} for text in texts]
    messages = [{"role": "user", "content": content}, *more]
    return leaves.view({"model": "m", "messages": messages}, Endpoint.CHAT)


def found(scanner, view):
    apart = seams.parts(view)
    scan = scanner.scan((*view.leaves, *(part.text for part in apart)), NEEDS)
    findings = seams.merged(scan.findings, len(view.leaves), apart)
    return [(one.kind, view.leaves[one.leaf].text[one.start : one.end]) for one in findings]


def test_an_address_is_found_though_a_word_follows_in_the_next_part(scanner):
    view = view_of("write to maria@example.com", "no, wait")
    assert found(scanner, view) == [("EMAIL_ADDRESS", "maria@example.com")]


def test_an_address_is_found_across_two_parts(scanner):
    assert found(scanner, view_of("write to maria@exam", "ple.com today")) == [
        ("EMAIL_ADDRESS", "maria@example.com")
    ]


def test_what_is_found_both_ways_counts_once(scanner):
    view = view_of("write to maria@example.com ", "or to jean@example.org")
    assert found(scanner, view) == [
        ("EMAIL_ADDRESS", "maria@example.com"),
        ("EMAIL_ADDRESS", "jean@example.org"),
    ]


def test_one_part_and_lines_of_short_strings_are_read_once():
    tool = {"role": "tool", "tool_call_id": "call_1", "name": "look_up", "content": "found it"}
    assert seams.parts(view_of("only one", more=[tool])) == []


def test_a_finding_in_a_part_stands_at_its_place_in_the_joined_text():
    apart = [seams.Part(0, 0, Leaf("ab", "", "")), seams.Part(0, 2, Leaf("cd", "", ""))]
    late = Finding("K", "pii", 1.0, 2, 1, 2, "raw")
    assert seams.merged([late], 1, apart) == (Finding("K", "pii", 1.0, 0, 3, 4, "raw"),)


def test_a_text_that_is_too_large_is_told_of_its_leaf():
    apart = [seams.Part(0, 0, Leaf("ab", "", ""))]
    scan = Scan((Finding("TOO_LARGE", "error", 1.0, 1, 0, 0, "raw"),), NEEDS)
    assert [one.leaf for one in seams.merged(scan.findings, 1, apart)] == [0]
