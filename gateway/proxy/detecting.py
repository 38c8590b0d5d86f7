"""Runs the detectors: patterns in this process, models of names in theirs, side by side."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.proxy import metrics
from gateway.proxy.names import FAILED
from gateway.proxy.tenant import LoadedTenant
from policies.detectors.finding import Leaf, Scan
from policies.pdp.request import NER


async def detect(
    patterns: Callable[[frozenset[str]], Scan],
    needs: frozenset[str],
    tenant: LoadedTenant,
    leaves: Sequence[Leaf],
    *,
    digests: Sequence[str] = (),
    apart: bool,
) -> Scan:
    """Return what the needed detectors find in the leaves.

    `patterns` runs those of this process, off the loop, which others wait for, where `apart` says
    that it takes long. `digests` are the leaves' keyed digests, where they are known already.
    """
    own = needs - {NER}
    if NER in needs:
        async with asyncio.TaskGroup() as group:
            names = group.create_task(_names(tenant, leaves, digests))
            scan = await _run(patterns, own, apart=apart)
        scan = _joined(scan, names.result())
    else:
        scan = await asyncio.to_thread(patterns, own) if apart else patterns(own)
    for detector in scan.failed:
        metrics.DETECTOR_FAILURES.labels(detector).inc()
    return scan


async def _run(
    patterns: Callable[[frozenset[str]], Scan], needs: frozenset[str], *, apart: bool
) -> Scan:
    return await asyncio.to_thread(patterns, needs) if apart else patterns(needs)


async def _names(tenant: LoadedTenant, leaves: Sequence[Leaf], digests: Sequence[str]) -> Scan:
    if tenant.names is None:
        return FAILED
    known = digests or [tenant.digest(leaf.text.encode(errors="surrogatepass")) for leaf in leaves]
    return await tenant.names.find(leaves, known, tenant.entities)


def _joined(scan: Scan, names: Scan) -> Scan:
    """Return both as one scan, in the scanner's order of categories."""
    found = sorted((*scan.findings, *names.findings), key=lambda finding: finding.category)
    return Scan(tuple(found), scan.failed | names.failed)
