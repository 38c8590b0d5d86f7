"""Credentials in a text: keys of known providers by their public prefixes, and what stands where a
password stands. Pure.

Each rule has keywords, one of which stands in every text that it can match: a text without any of
them costs one pass. A rule of a prefix is precise; one of a place (`PASSWORD=...`) asks that the
value look like chance, not like a word or a placeholder. A value is never kept: a finding is its
kind and its place.
"""

import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from policies.detectors.patterns import compiled
from tenants import keys

SURE: Final = 1.0
LIKELY: Final = 0.8

Check = Callable[[str], bool]


class Secret(NamedTuple):
    """A credential in a text: what it is, how sure that is, and where the value stands."""

    kind: str
    score: float
    start: int
    end: int


class Rule(NamedTuple):
    """One form of credential: a pattern whose last group is the value, and what must hold of it.

    `keywords` are in lower case and are looked for in the text in lower case. `to_end` returns
    where a value ends that a pattern sees only the beginning of.
    """

    kind: str
    keywords: tuple[str, ...]
    pattern: str
    score: float = SURE
    check: Check | None = None
    to_end: Callable[[str, int], int] | None = None


def entropy(value: str) -> float:
    """Return the bits of information in a character of a value, by how often each occurs in it."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values()) if size else 0.0


def _is_jwt(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        document = json.loads(binascii.a2b_base64(head + "=" * (-len(head) % 4)))
    except ValueError:
        return False
    return isinstance(document, dict) and "alg" in document


def _is_gatehouse_key(value: str) -> bool:
    head, _, check = value.rpartition("_")
    return keys.checksum(head) == check


def _is_no_example(value: str) -> bool:
    return not value.upper().endswith("EXAMPLE") and len(set(value)) > _FEW


_FEW: Final = 4
_PLACEHOLDER: Final = re.compile(
    r"(?i)[<{$%(\[*]|x{3,}|\.{3}|(?:your|my|the|some|a|an|new|old)[_-]|.*(?:example|placeholder"
    r"|change.?me|redacted|dummy|insert|replace|secret|password|passwd|token|getenv|environ)"
)
_BITS: Final = 3.0


def _looks_random(value: str) -> bool:
    """Tell whether a value is more like a made-up password than like a word or a placeholder."""
    kinds = (str.isdigit, str.islower, str.isupper)
    mixed = sum(any(map(kind, value)) for kind in kinds)
    other = any(not character.isalnum() for character in value)
    return mixed + other > 1 and entropy(value) >= _BITS and not _PLACEHOLDER.match(value)


_FEW_BITS: Final = 2.0


def _is_no_placeholder(value: str) -> bool:
    return entropy(value) >= _FEW_BITS and not _PLACEHOLDER.match(value)


_PEM_MOST: Final = 20_000  # characters: a private key of 16,384 bits takes some 13,000
_PEM_BODY: Final = re.compile(r"(?:[A-Za-z0-9+/=:,.\s-]|\\n)*")


def _to_pem_end(text: str, end: int) -> int:
    """Return where a private key ends whose first line ends there, with or without a last line."""
    last = text.find("-----END ", end, end + _PEM_MOST)
    close = text.find("-----", last + 9, last + 80) if last >= 0 else -1
    if close >= 0:
        return close + 5
    body = _PEM_BODY.match(text, end, end + _PEM_MOST)
    return body.end() if body else end


OPEN_ENDED: Final = "private_key"
"""The kind of credential whose end is not seen at its beginning."""

OPEN_MOST: Final = _PEM_MOST + 160
"""Characters after which one is over at the latest."""


def is_over(value: str) -> bool:
    """Tell whether a private key is there with its last line: nothing more belongs to it."""
    return "-----END " in value and value.endswith("-----")


RULES: Final = (
    Rule("anthropic_key", ("sk-ant-",), r"\b(sk-ant-[a-z0-9]{2,12}-[A-Za-z0-9_-]{40,200})"),
    Rule(
        "openai_key",
        ("sk-",),
        r"\b(sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{40,220}|[A-Za-z0-9]{48}\b))",
    ),
    Rule("openrouter_key", ("sk-or-",), r"\b(sk-or-v\d-[0-9a-f]{64})\b"),
    Rule(
        "aws_access_key",
        ("akia", "asia", "abia", "acca"),
        r"\b((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})\b",
        check=_is_no_example,
    ),
    Rule(
        "aws_secret_key",
        ("aws",),
        r"(?i)aws.{0,30}(?:secret|private|sk)[^A-Za-z0-9/+]{0,3}(?:access)?[^A-Za-z0-9/+]{0,3}"
        r"(?:key)?[^A-Za-z0-9/+]{1,8}([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)",
        check=lambda value: _looks_random(value) and _is_no_example(value),
    ),
    Rule("google_api_key", ("aiza",), r"\b(AIza[0-9A-Za-z_-]{35})"),
    Rule("google_oauth_secret", ("gocspx-",), r"\b(GOCSPX-[A-Za-z0-9_-]{28})"),
    Rule(
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        r"\b(gh[pousr]_[A-Za-z0-9]{36,255})\b",
    ),
    Rule("github_token", ("github_pat_",), r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b"),
    Rule("gitlab_token", ("glpat-",), r"\b(glpat-[A-Za-z0-9_-]{20,60})"),
    Rule("slack_token", ("xox",), r"\b(xox[abeoprs]-[A-Za-z0-9-]{10,250})"),
    Rule("slack_token", ("xapp-",), r"\b(xapp-\d-[A-Z0-9]{8,16}-\d{8,16}-[a-f0-9]{32,80})\b"),
    Rule(
        "slack_webhook",
        ("hooks.slack.com",),
        r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{30,120})",
    ),
    Rule(
        "stripe_key",
        ("_live_", "_test_"),
        r"\b((?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,250})\b",
    ),
    Rule("stripe_webhook_secret", ("whsec_",), r"\b(whsec_[A-Za-z0-9+/=]{24,80})"),
    Rule("npm_token", ("npm_",), r"\b(npm_[A-Za-z0-9]{36})\b"),
    Rule("pypi_token", ("pypi-age",), r"\b(pypi-AgE[A-Za-z0-9_-]{50,250})"),
    Rule("huggingface_token", ("hf_",), r"\b(hf_[A-Za-z]{34,60})\b"),
    Rule("groq_key", ("gsk_",), r"\b(gsk_[A-Za-z0-9]{48,60})\b"),
    Rule("sendgrid_key", ("sg.",), r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    Rule("digitalocean_token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"\b(do[opr]_v1_[a-f0-9]{64})\b"),
    Rule("databricks_token", ("dapi",), r"\b(dapi[a-f0-9]{32}(?:-\d)?)\b", check=_is_no_example),
    Rule("shopify_token", ("shp",), r"\b(shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})\b"),
    Rule("azure_storage_key", ("accountkey=",), r"(?i)AccountKey=([A-Za-z0-9+/]{86}==)"),
    Rule("vault_token", ("hvs.", "hvb."), r"\b(hv[sb]\.[A-Za-z0-9_-]{24,300})"),
    Rule(
        "gatehouse_key",
        ("gth_",),
        r"\b(gth_[0-9A-Za-z]{10}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6})\b",
        check=_is_gatehouse_key,
    ),
    Rule(
        "jwt",
        ("eyj",),
        r"\b(eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,})",
        check=_is_jwt,
    ),
    Rule(
        "private_key",
        ("private key",),
        r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)",
        to_end=_to_pem_end,
    ),
    Rule(
        "url_password",
        ("://",),
        r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s:/@\"'<>]{0,100}:([^\s/@\"'<>]{3,200})@[A-Za-z0-9\[]",
        score=LIKELY,
        check=_is_no_placeholder,
    ),
    Rule(
        "authorization_header",
        ("authorization",),
        r"(?i)\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:bearer|basic|token)\s{1,3}"
        r"([A-Za-z0-9+/=._~-]{16,500})",
        score=LIKELY,
        check=_looks_random,
    ),
    Rule(
        "password_assignment",
        (
            "passw",
            "passphrase",
            "secret",
            "token",
            "api_key",
            "apikey",
            "api-key",
            "access_key",
            "credential",
        ),
        r"(?i)(?:passwd|password|passphrase|secret|token|api[_-]?key|access[_-]?key|credentials?)"
        r"[A-Za-z0-9_-]{0,20}[\"']?\s{0,3}(?::=|=>|[=:])\s{0,3}[\"'`]?([^\s\"'`,;<>]{8,200})",
        score=LIKELY,
        check=_looks_random,
    ),
)
"""Most telling first: where two rules see one value, the first names it."""


class Secrets:
    """Finds the credentials of `RULES`; safe to share between threads."""

    def __init__(self) -> None:
        self._programs: list[tuple[Rule, Any]] = [(rule, compiled(rule.pattern)) for rule in RULES]
        words = sorted({word for rule in RULES for word in rule.keywords}, key=len)
        shortest = [w for i, w in enumerate(words) if not any(v in w for v in words[:i])]
        self._any = compiled("(?i)" + "|".join(map(re.escape, shortest)))

    def parts(self) -> Iterator[str]:
        """Return what decides which credentials are found."""
        yield repr([(rule.kind, rule.keywords, rule.pattern, rule.score) for rule in RULES])

    def may_find(self, text: str) -> bool:
        """Return False only where `find` finds nothing, in the text and in any line of it."""
        return self._any.search(text) is not None

    def find(self, text: str) -> list[Secret]:
        """Return the credentials in a text, in the order of the text, no two over one another."""
        if not self.may_find(text):
            return []
        folded = text.lower()
        found: list[Secret] = []
        for rule, program in self._programs:
            if any(word in folded for word in rule.keywords):
                for secret in _seen(rule, program, text):
                    if not any(secret.start < o.end and o.start < secret.end for o in found):
                        found.append(secret)
        return sorted(found, key=lambda secret: secret.start)


def _seen(rule: Rule, program: Any, text: str) -> Iterator[Secret]:
    for match in program.finditer(text):
        start, end = match.span(1)
        if rule.check is None or rule.check(text[start:end]):
            yield Secret(
                rule.kind, rule.score, start, rule.to_end(text, end) if rule.to_end else end
            )
