"""Who of a tenant's guards is asked in a call: those on whose findings a rule in effect depends."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.exchange import Call, Head, View
from gateway.guards.contract import Asked
from gateway.guards.masking import Masked, masked
from gateway.proxy import metrics, seams
from gateway.proxy.detecting import detect
from gateway.proxy.directory import Principal
from gateway.proxy.guarding import CUSTOM, Guards, Inquiry, LoadedGuard
from gateway.proxy.tenant import LoadedTenant
from policies.detectors.finding import Scan
from policies.detectors.scanner import INLINE_LIMIT, PII, SECRETS
from policies.pdp.request import NER, Phase

MASKING = frozenset({PII, SECRETS})


def concerned(principal: Principal, phase: Phase) -> Sequence[LoadedGuard]:
    """Return the guards that are asked about the texts of a phase; none where no rule, enforced or
    in shadow, depends on what they find."""
    guards = principal.tenant.guards.get(phase, ())
    return guards if guards and phase in principal.app.judges.relies else ()


@dataclass(frozen=True, slots=True)
class Inquirer:
    """Asks the guards of a tenant in one call, about its texts and those of its answer."""

    guards: Guards
    principal: Principal
    asked: Asked

    async def scan(self, phase: Phase, view: View, scan: Scan) -> Scan:
        """Return a scan with what the guards find too."""
        some = concerned(self.principal, phase)
        if not some or not view.leaves:
            return scan
        tenant = self.principal.tenant
        asked = self.asked._replace(phase=phase)
        inquiry = Inquiry(asked, view.leaves, tenant.digest, lambda: _masked(tenant, view))
        found = await self.guards.scan(some, inquiry, scan)
        if CUSTOM in found.failed and CUSTOM not in scan.failed:
            metrics.DETECTOR_FAILURES.labels(CUSTOM).inc()
        return found


def inquirer(
    guards: Guards, call_id: str, head: Head, call: Call, principal: Principal
) -> Inquirer | None:
    """Return who asks in a call; None where its tenant has no guards. The names are those that its
    record has too."""
    if not principal.tenant.guards:
        return None
    user = principal.row.user or head.user or call.user
    names = principal.tenant.bundle.tenant, principal.app.app.name
    return Inquirer(guards, principal, Asked("", call_id, *names, call.model, user))


async def _masked(tenant: LoadedTenant, view: View) -> list[Masked] | None:
    """Return the leaves without personal data, names among it where the tenant has them found, and
    without credentials; None where a detector failed."""
    apart, verdicts = seams.parts(view), tenant.verdicts
    read = (*view.leaves, *(part.text for part in apart))
    digests = [tenant.digest(leaf.text.encode()) for leaf in read]
    known = verdicts.known(digests, MASKING)
    scan = await detect(
        lambda patterns: verdicts.scan(read, digests, patterns, known),
        MASKING | {NER} if tenant.entities else MASKING,
        tenant,
        read,
        digests=digests,
        apart=None in known and sum(len(leaf.text) for leaf in read) > INLINE_LIMIT,
    )
    if scan.failed:
        return None
    return masked(view.leaves, seams.merged(scan.findings, len(view.leaves), apart))
