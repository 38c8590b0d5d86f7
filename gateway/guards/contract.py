"""What is said to a guard, and what may come back: docs/webhook-guard.md. Pure.

A guard's answer is somebody else's text: it is believed only where all of it is as agreed. Findings
are facts, of kinds that were declared beforehand; whatever else comes is no answer at all.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from gateway.bundle import Guard
from policies.detectors.finding import Finding, Leaf
from policies.detectors.normalise import RAW

VERSION: Final = 1
TIMESTAMP: Final = "x-gatehouse-timestamp"
SIGNATURE: Final = "x-gatehouse-signature"
SCHEME: Final = "v1="

KIND_PATTERN: Final = r"\A[A-Z][A-Z0-9_]{1,63}\Z"
KINDS_MAX: Final = 64
PHASES: Final = ("request", "answer")
DEADLINE_MS, DEADLINE_MS_MIN, DEADLINE_MS_MAX = 300, 10, 5_000
SECRET_MIN, SECRET_MAX = 16, 4096

MOST_BYTES: Final = 256 * 1024
MOST_FINDINGS: Final = 1_000
FINGERPRINT_CHARS: Final = 12

_JSON = re.compile(r"application/(?:[a-z0-9.-]+\+)?json")


class BadAnswer(ValueError):
    """What a guard sent is no answer to what it was asked; the message holds none of its text."""


class Asked(NamedTuple):
    """Whose call it is, as a guard is told: names and a public model name, no key. `user` is the
    end user, or "" where the guard is not told of them."""

    phase: str
    call_id: str
    tenant: str
    app: str
    model: str
    user: str = ""


class _Leaf(msgspec.Struct):
    role: str
    place: str
    text: str


class _Request(msgspec.Struct, omit_defaults=True):
    version: int
    guard: str
    phase: str
    call_id: str
    tenant: str
    app: str
    model: str
    redacted: bool
    leaves: list[_Leaf]
    user: str = ""


class _Finding(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    score: float
    leaf: int
    start: int | None = None
    end: int | None = None


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    findings: list[_Finding]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Answer)


def fingerprint(guard: Guard) -> str:
    """Return which configuration of a guard gave its findings: a hash of all but its secrets."""
    said = msgspec.to_builtins(guard)
    del said["secrets"]
    whole = msgspec.json.encode(said, order="sorted")
    return hashlib.sha256(whole).hexdigest()[:FINGERPRINT_CHARS]


def written(guard: Guard, asked: Asked, leaves: Sequence[Leaf]) -> bytes:
    """Return the body of a request, in UTF-8."""
    request = _Request(
        version=VERSION,
        guard=guard.name,
        phase=asked.phase,
        call_id=asked.call_id,
        tenant=asked.tenant,
        app=asked.app,
        model=asked.model,
        redacted=guard.redacted,
        leaves=[_Leaf(leaf.role, leaf.place, leaf.text) for leaf in leaves],
        user=asked.user if guard.tells_user else "",
    )
    return _ENCODER.encode(request)


def signed(body: bytes, secrets: Sequence[str], now_s: int) -> dict[str, str]:
    """Return the headers of a request: one signature for each secret, the newest first."""
    message = b"%d." % now_s + body
    made = [hmac.new(each.encode(), message, hashlib.sha256).hexdigest() for each in secrets]
    return {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "gatehouse",
        TIMESTAMP: str(now_s),
        SIGNATURE: ",".join(SCHEME + one for one in made),
    }


def check_head(headers: Mapping[str, str]) -> None:
    """Raise BadAnswer unless an answer is labelled as plain JSON; names are in lower case."""
    if headers.get("content-encoding", "identity") != "identity":
        raise BadAnswer("it is in a content coding, and none was asked for")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not _JSON.fullmatch(kind):
        raise BadAnswer("it is not labelled as JSON")


def read(raw: bytes, guard: Guard, leaves: Sequence[Leaf]) -> tuple[Finding, ...]:
    """Return the findings of an answer; raise BadAnswer unless all of it is as agreed.

    Offsets are of characters (Unicode code points) of the text as it was sent. A finding without
    them is of the whole leaf.
    """
    if len(raw) > MOST_BYTES:
        raise BadAnswer(f"it is larger than {MOST_BYTES} bytes")
    try:
        answer = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadAnswer("it is not the JSON that was agreed") from None
    if answer.version != VERSION:
        raise BadAnswer(f"its version is not {VERSION}")
    if len(answer.findings) > MOST_FINDINGS:
        raise BadAnswer(f"it has more than {MOST_FINDINGS} findings")
    return tuple(_finding(each, guard, leaves) for each in answer.findings)


def _finding(found: _Finding, guard: Guard, leaves: Sequence[Leaf]) -> Finding:
    if found.kind not in guard.kinds:
        raise BadAnswer("a finding is of a kind that the guard does not declare")
    if not 0 <= found.score <= 1:
        raise BadAnswer("a score is not between 0 and 1")
    if not 0 <= found.leaf < len(leaves):
        raise BadAnswer("a finding is in a leaf that there is not")
    length = len(leaves[found.leaf].text)
    start, end = found.start, found.end
    if start is None and end is None:
        start, end = 0, length
    elif start is None or end is None or not 0 <= start < end <= length:
        raise BadAnswer("a finding is at a place that is not in its leaf")
    return Finding(found.kind, "custom", round(found.score, 2), found.leaf, start, end, RAW)
