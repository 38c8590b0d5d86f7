"""One sample text before a guard, as a call would send it: what it finds, and how long it takes."""

import time
from dataclasses import dataclass

import httpx
from django.conf import settings

from gateway import bundle
from gateway.envelope import EnvelopeError
from gateway.exchange import UpstreamRequest
from gateway.guards import contract, sealing
from gateway.guards.contract import Asked, BadAnswer
from gateway.guards.masking import Masked, masked, unmasked
from gateway.guards.models import Guard
from gateway.guards.published import published
from gateway.ner.asking import names_in
from gateway.probe import ProbeError, sent
from gateway.proxy.tenant import scanner
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.scanner import PII, SECRETS, DetectorConfig
from tenants.models import Tenant

SAMPLE = "Hello"
TEXT_MAX = 10_000
CALL_ID = "test"
NOTHING = Scan((), frozenset())


@dataclass(frozen=True, slots=True)
class Trial:
    """How a guard answered; `detail` is safe to show, `text` what it was sent."""

    ok: bool
    detail: str
    latency_ms: int = 0
    text: str = ""
    findings: tuple[Finding, ...] = ()


def tried(row: Guard, text: str = SAMPLE) -> Trial:
    """Return what a guard makes of a text, said by a user, within 5 s.

    The address is checked as that of a provider is, and redirects are not followed.
    """
    seen = _seen(row, text)
    if seen is None:
        return Trial(ok=False, detail="the personal data in it could not be masked")
    guard = published(row)
    body = contract.written(
        guard, Asked(row.phases[0], CALL_ID, row.tenant.name, "", ""), [seen.leaf]
    )
    began_s = time.perf_counter()
    try:
        secrets = [sealing.open_sealed(each) for each in sealing.held(row)]
        headers = contract.signed(body, secrets, int(time.time()))
        wanted = UpstreamRequest(row.url, headers, body)
        response, raw = sent(
            wanted, allow_private=row.allow_private, most_bytes=contract.MOST_BYTES
        )
    except (ProbeError, EnvelopeError) as error:
        return Trial(ok=False, detail=str(error), text=seen.leaf.text)
    except httpx.HTTPError as error:
        detail = f"no answer: {type(error).__name__}"
        return Trial(ok=False, detail=detail, text=seen.leaf.text)
    latency_ms = int((time.perf_counter() - began_s) * 1000)
    return _judged(guard, seen, response, raw, latency_ms)


def _judged(
    guard: bundle.Guard, seen: Masked, response: httpx.Response, raw: bytes, latency_ms: int
) -> Trial:
    text = seen.leaf.text
    if response.status_code != httpx.codes.OK:
        detail = f"it answered {response.status_code}, and a good answer is 200"
        return Trial(ok=False, detail=detail, latency_ms=latency_ms, text=text)
    try:
        contract.check_head(response.headers)
        found = contract.read(raw, guard, [seen.leaf])
    except BadAnswer as fault:
        detail = f"its answer is refused: {fault}"
        return Trial(ok=False, detail=detail, latency_ms=latency_ms, text=text)
    findings = tuple(unmasked(one, seen) for one in found)
    if latency_ms > guard.deadline_ms:
        detail = f"it answers well, but took {latency_ms} ms and has {guard.deadline_ms}"
        return Trial(ok=False, detail=detail, latency_ms=latency_ms, text=text, findings=findings)
    return Trial(ok=True, detail="it answers", latency_ms=latency_ms, text=text, findings=findings)


def _seen(row: Guard, text: str) -> Masked | None:
    """Return the text as the guard is to see it; None where that cannot be told."""
    leaf = Leaf(text, "user", "messages[0].content")
    if not row.redacted:
        return Masked(leaf)
    tenant: Tenant = row.tenant
    config = DetectorConfig(
        countries=tuple(tenant.pii_countries), phone_regions=tuple(tenant.pii_phone_regions)
    )
    scan = scanner(config).scan([leaf], frozenset({PII, SECRETS}))
    named = NOTHING
    if tenant.pii_entities:
        named = names_in([leaf], frozenset(tenant.pii_entities), settings.GATEHOUSE)
    if scan.failed or named.failed:
        return None
    return masked([leaf], (*scan.findings, *named.findings))[0]
