"""Texts whose parts stand right behind each other are read joined, and each part by itself as well.

A provider may join the parts of a message, or take each alone: nothing may hide in the seam between
them, and a part that follows may not disguise what stands at the end of the one before.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.exchange import Segment, View
from policies.detectors.covering import uncovered
from policies.detectors.finding import Finding, Leaf


class Part(NamedTuple):
    """One part of a joined text: the leaf that it is of, where it begins there, and its text."""

    leaf: int
    start: int
    text: Leaf


def parts(view: View) -> list[Part]:
    """Return the parts of the leaves that are joined of several."""
    found: list[Part] = []
    for index, (leaf, segments) in enumerate(zip(view.leaves, view.segments, strict=True)):
        if len(segments) > 1:
            found += _parts(index, leaf, segments)
    return found


def merged(findings: Sequence[Finding], leaves: int, apart: Sequence[Part]) -> tuple[Finding, ...]:
    """Return findings of which those beyond the leaves are in parts: each at its place, once."""
    whole = [finding for finding in findings if finding.leaf < leaves]
    placed = [
        _placed(finding, apart[finding.leaf - leaves])
        for finding in findings
        if finding.leaf >= leaves
    ]
    return (*whole, *uncovered(whole, placed))


def _parts(index: int, leaf: Leaf, segments: Sequence[Segment]) -> list[Part]:
    joined = [
        place
        for place, segment in enumerate(segments)
        if (place and segments[place - 1].end == segment.start)
        or (place + 1 < len(segments) and segment.end == segments[place + 1].start)
    ]
    return [
        Part(index, each.start, leaf._replace(text=leaf.text[each.start : each.end]))
        for each in (segments[place] for place in joined)
    ]


def _placed(finding: Finding, part: Part) -> Finding:
    """Return a finding in a part as one in the leaf that it is of."""
    start, end = part.start + finding.start, part.start + finding.end
    return finding._replace(leaf=part.leaf, start=start, end=end)
