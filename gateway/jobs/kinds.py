"""The kinds of job."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gateway.jobs import backtest, export, rollup
from gateway.jobs.claim import Claim, Finished
from gateway.models import Job


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of job is done.

    `check` refuses terms; a kind without it is asked for through a service of its own. `spoiled`
    learns, in the transaction that ends a job without its effect, why there will be none.
    """

    work: Callable[[Claim], Finished]
    check: Callable[[Mapping[str, Any]], None] | None = None
    spoiled: Callable[[Job, str], None] | None = None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "backtest": Kind(backtest.work, spoiled=backtest.spoiled),
        "export": Kind(export.work, spoiled=export.spoiled),
        "rollup": Kind(rollup.work, check=rollup.check),
    }
)
