"""When the demo's calls come and what befalls them: believable, and the same for a seed. Pure."""

import datetime
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from gateway.demo.profiles import Profile

HOUR_MS = 3_600_000
_BY_HOUR = (2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 18, 13, 16, 18, 17, 14, 10, 7, 5, 4, 4, 3, 2)
_WEEKEND = 0.25
_GROWTH = 0.6
_BAD_HOURS = 0.01
"""Which share of the hours a provider is in trouble."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One call before it is judged. `luck` in [0, 1) decides how its provider behaves."""

    at_ms: int
    noise: bytes
    profile: int
    prompt: int
    model: str
    user: str
    tags: tuple[tuple[str, str], ...]
    luck: float
    trouble: bool
    pace: float


def hours(
    since: datetime.datetime,
    until: datetime.datetime,
    zone: zoneinfo.ZoneInfo,
    calls: int,
    chance: Random,
) -> list[tuple[int, int, int]]:
    """Return for each hour its beginning and end in milliseconds, and how many calls come in it.

    The counts add up to `calls`.
    """
    edges = [int(since.timestamp() * 1000)]
    end_ms = int(until.timestamp() * 1000)
    while edges[-1] < end_ms:
        edges.append(min(end_ms, (edges[-1] // HOUR_MS + 1) * HOUR_MS))
    spans = list(pairwise(edges))
    weights = [_weight(span, edges[0], end_ms, zone) * chance.uniform(0.7, 1.3) for span in spans]
    total, passed, given, found = sum(weights), 0.0, 0, []
    for (start_ms, stop_ms), weight in zip(spans, weights, strict=True):
        passed += weight
        until_here = round(calls * passed / total)
        found.append((start_ms, stop_ms, until_here - given))
        given = until_here
    return found


def intents(
    profiles: Sequence[Profile],
    windows: Sequence[tuple[int, int, int]],
    chance: Random,
) -> Iterator[Intent]:
    """Yield the calls of these windows in the order in which they come."""
    if not windows:
        return
    first_ms, last_ms = windows[0][0], windows[-1][1]
    for start_ms, stop_ms, count in windows:
        gone = (start_ms - first_ms) / max(1, last_ms - first_ms)
        shares = _shares(profiles, gone)
        trouble = chance.random() < _BAD_HOURS
        for at_ms in sorted(chance.randrange(start_ms, stop_ms) for _ in range(count)):
            place = chance.choices(range(len(profiles)), shares)[0]
            yield _intent(profiles[place], place, at_ms, chance, trouble=trouble)


def _shares(profiles: Sequence[Profile], gone: float) -> list[float]:
    present = [p.weight if p.since <= gone < p.until else 0.0 for p in profiles]
    return present if any(present) else [1.0] * len(profiles)


def _intent(profile: Profile, place: int, at_ms: int, chance: Random, *, trouble: bool) -> Intent:
    prompts = profile.prompts(chance.random())
    # A few people do most of it.
    number = int(profile.people * chance.random() ** 3)
    return Intent(
        at_ms=at_ms,
        noise=chance.randbytes(10),
        profile=place,
        prompt=prompts[int(chance.random() * len(prompts))],
        model=profile.model(chance.random()),
        user=f"{profile.app}-{number:03}",
        tags=profile.tags[int(chance.random() * len(profile.tags))],
        luck=chance.random(),
        trouble=trouble,
        pace=min(12.0, chance.lognormvariate(0.0, 0.6)),
    )


def _weight(span: tuple[int, int], first_ms: int, end_ms: int, zone: zoneinfo.ZoneInfo) -> float:
    start_ms, stop_ms = span
    local = datetime.datetime.fromtimestamp(start_ms / 1000, zone)
    weekend = _WEEKEND if local.isoweekday() > 5 else 1.0  # noqa: PLR2004  (Friday)
    growth = 1 + _GROWTH * (start_ms - first_ms) / max(1, end_ms - first_ms)
    return _BY_HOUR[local.hour] * weekend * growth * (stop_ms - start_ms) / HOUR_MS


def share_of(profiles: Sequence[Profile]) -> Mapping[str, float]:
    """Return each tenant's share of all calls."""
    total = sum(profile.weight for profile in profiles)
    shares: dict[str, float] = {}
    for profile in profiles:
        shares[profile.tenant] = shares.get(profile.tenant, 0.0) + profile.weight / total
    return shares
