"""Findings that say nothing new: in another reading of a text, what was found already. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from policies.detectors.finding import Finding

_Group = tuple[int, str]


def uncovered(known: Iterable[Finding], new: Sequence[Finding]) -> list[Finding]:
    """Return those of the new findings, in their order, that lie in no other one of their leaf and
    kind, known or new. The work grows with n log n: a text may hold thousands."""
    spans, furthest = _furthest(known), dict[_Group, int]()
    kept = set[int]()
    for index in sorted(range(len(new)), key=lambda at: (new[at].start, -new[at].end, at)):
        finding = new[index]
        group = finding.leaf, finding.kind
        if furthest.get(group, -1) >= finding.end or _lies_in(spans.get(group), finding):
            continue
        furthest[group] = finding.end
        kept.add(index)
    return [finding for index, finding in enumerate(new) if index in kept]


_Spans = tuple[list[int], list[int]]


def _furthest(known: Iterable[Finding]) -> dict[_Group, _Spans]:
    """Return where findings begin, in order, and how far those that began by then go."""
    places: defaultdict[_Group, list[tuple[int, int]]] = defaultdict(list)
    for finding in known:
        places[finding.leaf, finding.kind].append((finding.start, finding.end))
    found: dict[_Group, _Spans] = {}
    for group, spans in places.items():
        spans.sort()
        ends, most = list[int](), -1
        for _, end in spans:
            most = max(most, end)
            ends.append(most)
        found[group] = [start for start, _ in spans], ends
    return found


def _lies_in(spans: _Spans | None, finding: Finding) -> bool:
    if spans is None:
        return False
    starts, ends = spans
    before = bisect_right(starts, finding.start)
    return before > 0 and ends[before - 1] >= finding.end
