"""Text and figures become facts: the slot vector that a policy sees. No text of a prompt in it."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from gateway.bundle import Deployment
from gateway.exchange import Answer, Call, Head, Judgement, ServiceCall
from gateway.proxy.loader import KeyRow
from gateway.proxy.sightings import Counted
from gateway.proxy.tenant import LoadedApp, LoadedTenant
from policies.detectors import links
from policies.detectors.finding import Category, Finding, Leaf, Scan
from policies.detectors.injection import injection_score
from policies.detectors.taint import Named
from policies.pdp.request import DEFAULTS, FACTS, SLOTS, FindingFact

Facts = list[Any]

_ROUTED = SLOTS["model.routed"]
_PROVIDER, _REGION = SLOTS["model.provider"], SLOTS["model.region"]
_TENANT, _APP, _TIER = SLOTS["tenant.name"], SLOTS["app.name"], SLOTS["app.tier"]
_KEY, _KEY_NAME = SLOTS["key.id"], SLOTS["key.name"]
_USER, _USER_ID = SLOTS["user.present"], SLOTS["user.id"]
_HOUR, _WEEKDAY = SLOTS["source.hour"], SLOTS["source.weekday"]
_ENDPOINT, _STREAM = SLOTS["call.endpoint"], SLOTS["call.stream"]
_MESSAGES, _ROLES = SLOTS["call.messages"], SLOTS["call.roles"]
_TOOLS, _TOOL_CHOICE = SLOTS["call.tools"], SLOTS["call.tool_choice"]
_N, _CAP = SLOTS["call.n"], SLOTS["call.max_output_tokens"]
_TEMPERATURE, _BYTES = SLOTS["call.temperature"], SLOTS["call.bytes"]
_ESTIMATE, _UNKNOWN = SLOTS["call.estimated_tokens"], SLOTS["call.unknown_fields"]
_IMAGES, _AUDIO, _FILES = SLOTS["call.images"], SLOTS["call.audio"], SLOTS["call.files"]
_TAGS, _ASKED = SLOTS["call.tags"], SLOTS["model.asked"]
_UNINSPECTED, _UNINSPECTED_KINDS = SLOTS["uninspected.count"], SLOTS["uninspected.kinds"]
_FINDINGS, _RISK = SLOTS["findings"], SLOTS["risk"]
_PII, _PII_KINDS, _PII_MAX = SLOTS["pii.count"], SLOTS["pii.kinds"], SLOTS["pii.max_score"]
_INJECTION, _INJECTION_SCORE = SLOTS["injection.count"], SLOTS["injection.score"]
_SIGNALS = SLOTS["injection.signals"]
_FINISH, _ANSWER_BYTES = SLOTS["answer.finish"], SLOTS["answer.bytes"]
_ANSWER_TOOLS, _ANSWER_FINDINGS = SLOTS["answer.tool_calls"], SLOTS["answer.findings"]
_ANSWER_PII, _ANSWER_PII_KINDS = SLOTS["answer.pii.count"], SLOTS["answer.pii.kinds"]
_ANSWER_PII_MAX = SLOTS["answer.pii.max_score"]
_SECRETS, _SECRET_KINDS = SLOTS["secret.count"], SLOTS["secret.kinds"]
_SECRET_MAX, _ANSWER_SECRET_MAX = SLOTS["secret.max_score"], SLOTS["answer.secret.max_score"]
_ANSWER_SECRETS, _ANSWER_SECRET_KINDS = SLOTS["answer.secret.count"], SLOTS["answer.secret.kinds"]
_CUSTOM = SLOTS["custom.count"], SLOTS["custom.kinds"], SLOTS["custom.max_score"]
_ANSWER_CUSTOM = (
    SLOTS["answer.custom.count"],
    SLOTS["answer.custom.kinds"],
    SLOTS["answer.custom.max_score"],
)
_HEADERS, _LINKS = SLOTS["call.headers"], SLOTS["answer.links"]
_COUNTED = slice(SLOTS["budget.used_percent"], SLOTS["rate.age_ms"] + 1)
_TOOL_HOSTS, _TAINTED = SLOTS["call.tool_hosts"], SLOTS["answer.tainted_hosts"]
_TOOL_FAULTS, _ECHO = SLOTS["answer.tool_faults"], SLOTS["answer.echo_percent"]
_SERVICE, _OPERATION = SLOTS["call.service"], SLOTS["call.operation"]
_METHOD = SLOTS["call.method"]
_NAMES = tuple(FACTS)
BYTES_PER_TOKEN = 4
NAME = re.compile(r"\A[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


def of_principal(row: KeyRow, tenant: LoadedTenant, app: LoadedApp) -> tuple[Any, ...]:
    """Return the slots that are the same for every call of a key."""
    slots = list(DEFAULTS)
    slots[_TENANT] = tenant.bundle.tenant
    slots[_APP], slots[_TIER] = app.app.name, app.app.tier
    slots[_KEY], slots[_KEY_NAME] = row.public_id, row.name
    slots[_USER_ID] = row.user
    return tuple(slots)


def of_call(base: tuple[Any, ...], head: Head, call: Call, at: datetime) -> Facts:
    """Return the slots of a call before any detector ran; `at` is in the tenant's zone."""
    slots = list(base)
    slots[_HOUR], slots[_WEEKDAY] = at.hour, at.isoweekday()
    slots[_ENDPOINT], slots[_STREAM] = call.endpoint.value, call.stream
    slots[_MESSAGES], slots[_ROLES], slots[_N] = call.messages, call.roles, call.n
    slots[_BYTES], slots[_ESTIMATE] = call.size, call.size // BYTES_PER_TOKEN
    slots[_ASKED] = slots[_ROUTED] = call.model
    slots[_UNKNOWN] = tuple(map(plain_name, call.unknown_fields))
    user = slots[_USER_ID] or head.user or call.user
    if user:
        slots[_USER], slots[_USER_ID] = True, user
    if call.tools:
        slots[_TOOLS] = call.tools
    if call.tool_choice:
        slots[_TOOL_CHOICE] = call.tool_choice
    if call.max_output_tokens is not None:
        slots[_CAP] = call.max_output_tokens
    if call.temperature is not None:
        slots[_TEMPERATURE] = call.temperature
    if head.tags:
        slots[_TAGS] = tuple(f"{name}={value}" for name, value in head.tags)
    if call.view.uninspected:
        _add_uninspected(slots, call.view.uninspected)
    _add_service(slots, call.service)
    return slots


def add_headers(slots: Facts, head: Head, named: frozenset[str]) -> None:
    """Add which of the headers that rules name the client sent with a value."""
    slots[_HEADERS] = tuple(
        sorted(name for name in named if head.headers.get(name.encode(), b"").strip())
    )


def add_counted(slots: Facts, counted: Counted) -> None:
    """Add what the worker knows of the budgets and limits of a call."""
    slots[_COUNTED] = counted


def add_tool_hosts(slots: Facts, named: Named) -> None:
    """Add the hosts that results of tools name."""
    if named.results:
        slots[_TOOL_HOSTS] = links.told(named.results)


def add_tainted(slots: Facts, named: Named, hosts: Iterable[str]) -> None:
    """Add those of the hosts that an answer leads to which only results of tools named."""
    slots[_TAINTED] = links.told(named.tainted(hosts))


def add_tool_faults(slots: Facts, faults: Iterable[str]) -> None:
    """Add what is wrong with the calls of tools in an answer."""
    slots[_TOOL_FAULTS] = tuple(sorted(faults))


def add_echo(slots: Facts, percent: int) -> None:
    """Add how much of the system prompt an answer repeats."""
    slots[_ECHO] = percent


def add_links(slots: Facts, answer: Answer) -> None:
    """Add the hosts that the links of an answer lead to."""
    slots[_LINKS] = links.hosts([leaf.text for leaf in answer.view.leaves])


def add_hosts(slots: Facts, hosts: Iterable[str]) -> None:
    """Add the hosts that links of an answer were seen to lead to."""
    slots[_LINKS] = links.told(hosts)


def add_scan(slots: Facts, scan: Scan, leaves: Sequence[Leaf]) -> None:
    """Add what the detectors found in the request."""
    if not scan.findings:
        return
    slots[_FINDINGS] = finding_facts(scan.findings, leaves)
    _add_category(slots, scan.findings, "pii", (_PII, _PII_KINDS, _PII_MAX))
    _add_category(slots, scan.findings, "secret", (_SECRETS, _SECRET_KINDS, _SECRET_MAX))
    _add_category(slots, scan.findings, "custom", _CUSTOM)
    signals = [finding for finding in scan.findings if finding.category == "injection"]
    if signals:
        slots[_INJECTION], slots[_SIGNALS] = len(signals), _kinds(signals)
        slots[_INJECTION_SCORE] = injection_score(signals)


def of_candidate(slots: Facts, model: str, deployment: Deployment) -> Facts:
    """Return the slots with a deployment under evaluation bound to them."""
    bound = list(slots)
    bound[_ROUTED], bound[_PROVIDER], bound[_REGION] = model, deployment.provider, deployment.region
    return bound


def of_answer(judgement: Judgement, answer: Answer, size: int, scan: Scan) -> Facts:
    """Return the slots of the answer phase: the request's with its risk, and the answer's."""
    bound = list(judgement.facts)
    bound[_RISK] = judgement.decision.risk
    bound[_FINISH], bound[_ANSWER_BYTES] = plain_name(answer.finish), size
    bound[_ANSWER_TOOLS] = answer.tool_calls
    if scan.findings:
        bound[_ANSWER_FINDINGS] = finding_facts(scan.findings, answer.view.leaves)
        pii = (_ANSWER_PII, _ANSWER_PII_KINDS, _ANSWER_PII_MAX)
        _add_category(bound, scan.findings, "pii", pii)
        secret = (_ANSWER_SECRETS, _ANSWER_SECRET_KINDS, _ANSWER_SECRET_MAX)
        _add_category(bound, scan.findings, "secret", secret)
        _add_category(bound, scan.findings, "custom", _ANSWER_CUSTOM)
    return bound


def finding_facts(findings: Iterable[Finding], leaves: Sequence[Leaf]) -> tuple[FindingFact, ...]:
    """Return findings as facts: equal kinds at one place once, with their count and best score."""
    merged: dict[tuple[str, str, str], tuple[float, int]] = {}
    for finding in findings:
        name = (finding.kind, finding.category, _place(finding, leaves))
        score, count = merged.get(name, (0.0, 0))
        merged[name] = (max(score, finding.score), count + 1)
    return tuple(
        FindingFact(kind, category, score, place, count)
        for (kind, category, place), (score, count) in sorted(merged.items())
    )


def recorded(slots: Facts) -> dict[str, Any]:
    """Return the facts that differ from their default, by name: what the record keeps."""
    return {
        name: value
        for name, value, default in zip(_NAMES, slots, DEFAULTS, strict=True)
        if value is not default and value != default
    }


def _add_category(
    slots: Facts, findings: Sequence[Finding], category: Category, at: tuple[int, int, int]
) -> None:
    """Set count, kinds and highest score, in these slots, of the findings of one category."""
    some = [finding for finding in findings if finding.category == category]
    if some:
        count, kinds, score = at
        slots[count], slots[kinds] = len(some), _kinds(some)
        slots[score] = max(finding.score for finding in some)


def _add_service(slots: Facts, asked: ServiceCall | None) -> None:
    if asked is not None:
        slots[_SERVICE], slots[_OPERATION] = asked.service.name, asked.operation.name
        slots[_METHOD] = asked.operation.method


def _add_uninspected(slots: Facts, kinds: Sequence[str]) -> None:
    slots[_UNINSPECTED] = len(kinds)
    slots[_UNINSPECTED_KINDS] = tuple(dict.fromkeys(kinds))
    slots[_IMAGES], slots[_AUDIO] = kinds.count("image"), kinds.count("audio")
    slots[_FILES] = kinds.count("file")


def plain_name(name: str) -> str:
    """Return a name as it is where it is one: what stands there could be anybody's own words."""
    return name if NAME.match(name) else ("other" if name else "")


def _place(finding: Finding, leaves: Sequence[Leaf]) -> str:
    """Name a role, or the field of the body: deeper names can be a client's own words."""
    if finding.leaf >= len(leaves):
        return ""
    leaf = leaves[finding.leaf]
    return leaf.role or leaf.place.partition(".")[0].partition("[")[0]


def _kinds(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(sorted({finding.kind for finding in findings}))
