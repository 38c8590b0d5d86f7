"""Texts as a guard may see them that is not to see personal data or credentials. Pure.

What the guard finds, it finds in the masked text: its offsets are brought back to the text as it
is. A place inside a mask stands for all that the mask hides.
"""

from collections.abc import Sequence
from typing import NamedTuple

from policies.detectors.finding import Finding, Leaf
from policies.detectors.redaction import edits

MIN_SCORE = 0.4
_NO_KEY = b""


class Masked(NamedTuple):
    """A leaf without what must not be seen, and what stands in place of what: start and end in the
    text, start and end in the masked one, in order."""

    leaf: Leaf
    places: tuple[tuple[int, int, int, int], ...] = ()


def masked(leaves: Sequence[Leaf], findings: Sequence[Finding]) -> list[Masked]:
    """Return the leaves with `<KIND>` in place of what was found in them for certain enough."""
    hidden: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.category in ("pii", "secret") and finding.score >= MIN_SCORE:
            hidden.setdefault(finding.leaf, []).append(finding)
    return [_masked(leaf, hidden.get(index, ())) for index, leaf in enumerate(leaves)]


def unmasked(finding: Finding, of: Masked) -> Finding:
    """Return a finding in a masked leaf at its place in the leaf as it is."""
    start, end = _start(finding.start, of.places), _end(finding.end, of.places)
    return finding._replace(start=start, end=end)


def _masked(leaf: Leaf, findings: Sequence[Finding]) -> Masked:
    if not findings:
        return Masked(leaf)
    out: list[str] = []
    places: list[tuple[int, int, int, int]] = []
    done = length = 0
    for start, end, mask in edits(leaf.text, findings, method="mask", key=_NO_KEY):
        length += start - done
        out += (leaf.text[done:start], mask)
        places.append((start, end, length, length + len(mask)))
        done, length = end, length + len(mask)
    return Masked(leaf._replace(text="".join((*out, leaf.text[done:]))), tuple(places))


def _start(at: int, places: Sequence[tuple[int, int, int, int]]) -> int:
    """Return where a character of the masked text stands; one of a mask, where that begins."""
    shift = 0
    for start, end, mask_start, mask_end in places:
        if at < mask_start:
            break
        if at < mask_end:
            return start
        shift = end - mask_end
    return at + shift


def _end(at: int, places: Sequence[tuple[int, int, int, int]]) -> int:
    """Return where what ends there in the masked text ends; in a mask, where that ends."""
    shift = 0
    for _, end, mask_start, mask_end in places:
        if at <= mask_start:
            break
        if at <= mask_end:
            return end
        shift = end - mask_end
    return at + shift
