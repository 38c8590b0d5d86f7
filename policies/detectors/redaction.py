"""Takes what was found out of a text. Pure.

Findings that overlap are one redaction, of all that they cover, named after the strongest of them:
nothing of a weaker one is left standing at the edge of a stronger one.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, Literal

from policies.detectors.finding import Finding

Method = Literal["drop", "mask", "hash", "placeholder"]

Mint = Callable[[str, str], str]
"""Returns the placeholder of a value of a kind."""

_TAG_LENGTH: Final = 8
# No tag begins with a digit: after a letter, no run of digits is taken for a number.
_LETTERS: Final = str.maketrans("0123456789", "abcdefabcd")


def redact(text: str, findings: Sequence[Finding], *, method: Method, key: bytes) -> str:
    """Return a text without the findings in it (all of one leaf, with offsets into that text)."""
    out: list[str] = []
    done = 0
    for start, end, replacement in edits(text, findings, method=method, key=key):
        out += (text[done:start], replacement)
        done = end
    return "".join((*out, text[done:]))


def edits(
    text: str,
    findings: Sequence[Finding],
    *,
    method: Method,
    key: bytes,
    mint: Mint | None = None,
) -> list[tuple[int, int, str]]:
    """Return what to put in place of which characters, in order: start, end, replacement.

    `drop` leaves nothing, `mask` leaves `<KIND>`, `hash` leaves `<KIND_tag>`, the same tag for the
    same value under the same key (up to 64 bytes; `ValueError` without one); `placeholder` leaves
    what `mint` makes of all that is taken out there (`ValueError` without it).
    """
    if (method == "hash" and not key) or (method == "placeholder" and mint is None):
        raise ValueError("a hash takes a key, and a placeholder is made by somebody")
    found: list[tuple[int, int, str]] = []
    for start, end, strongest in _places(findings):
        if method == "drop":
            replacement = _seam(text, start, end)
        elif method == "mask":
            replacement = f"<{strongest.kind}>"
        elif mint is not None and method == "placeholder":
            replacement = mint(strongest.kind, text[start:end])
        else:
            value = text[strongest.start : strongest.end]
            replacement = f"<{strongest.kind}_{_tag(strongest.kind, value, key)}>"
        found.append((start, end, replacement))
    return found


def _places(findings: Sequence[Finding]) -> list[tuple[int, int, Finding]]:
    """Return the parts of the text that findings cover, in order, and the strongest in each."""
    places: list[tuple[int, int, Finding]] = []
    for finding in sorted(findings, key=lambda each: (each.start, each.end)):
        if finding.start == finding.end:
            continue
        if places and finding.start < places[-1][1]:
            start, end, strongest = places[-1]
            strongest = max(strongest, finding, key=_strength)
            places[-1] = (start, max(end, finding.end), strongest)
        else:
            places.append((finding.start, finding.end, finding))
    return places


def _strength(finding: Finding) -> tuple[float, int, int, str]:
    return finding.score, finding.end - finding.start, -finding.start, finding.kind


def _seam(text: str, start: int, end: int) -> str:
    # What stood apart must not become one word, and one value, by what is dropped between.
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return " " if before and after and not (before.isspace() or after.isspace()) else ""


def _tag(kind: str, value: str, key: bytes) -> str:
    digest = hashlib.blake2b(
        value.encode(errors="surrogatepass"),
        key=key,
        digest_size=_TAG_LENGTH // 2,
        person=hashlib.blake2b(kind.encode(), digest_size=16).digest(),
    ).hexdigest()
    return digest[0].translate(_LETTERS) + digest[1:]
