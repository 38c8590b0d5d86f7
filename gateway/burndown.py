"""The burn-down of a budget: spent, even pace, limit and forecast, as shapes and in words. Pure."""

import datetime
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.burning import ENOUGH, runs_out
from gateway.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TICKS,
    TOP,
    WIDTH,
    Point,
    Tick,
    path_of,
    round_up,
)
from tenants.money import MICROS_PER_UNIT, text_from_micros
from tenants.usage.budget_state import BudgetState, Group

DAY = datetime.timedelta(days=1)
RECENT_DAYS = 7
HEADROOM = 1.25
"""Above so much of the limit a forecast is not drawn: it has said what it has to."""

WARN_PERCENT, FULL_PERCENT = 80, 100

Place = tuple[datetime.datetime, int]


@dataclass(frozen=True, slots=True)
class Burndown:
    """All that the chart draws. Paths that would say nothing are empty."""

    sentence: str
    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    spent: str
    area: str
    pace: str
    forecast: tuple[str, ...]
    limit_y: float
    first: str
    last: str


def burndown(state: BudgetState, now: datetime.datetime, zone: ZoneInfo) -> Burndown:
    """Return how the money of a budget without groups goes in the window of `now`."""
    spent = _spent(state, now)
    begin = spent[0][0]
    end = _end(state, begin, now)
    used, ends = (now, state.posted_micros + state.held_micros), _ends(state, now, end)
    tallest = max([state.limit_micros, used[1], *(micros for _, micros in ends)], default=0)
    scale = _Scale(begin, end, round_up(tallest / MICROS_PER_UNIT))
    path, floor = scale.path(*spent), HEIGHT - BOTTOM
    return Burndown(
        sentence=sentence(state, now, zone),
        points=tuple(_point(at, micros, zone) for at, micros in spent),
        ticks=scale.ticks(),
        spent=path,
        area=f"{path} L{scale.x(now):.1f} {floor} L{scale.x(begin):.1f} {floor} Z",
        pace=scale.path((begin, 0), (end, state.limit_micros)) if state.end else "",
        forecast=tuple(scale.path(used, each) for each in ends),
        limit_y=scale.y(state.limit_micros / MICROS_PER_UNIT),
        first=f"{begin.astimezone(zone):%-d %b}",
        last=f"{end.astimezone(zone):%-d %b}",
    )


def sentence(state: BudgetState, now: datetime.datetime, zone: ZoneInfo) -> str:
    """Return "82 % used on day 12 of 30; at this pace exhausted on 25 Nov"."""
    used, limit = state.posted_micros + state.held_micros, state.limit_micros
    share = f"{used * 100 // limit if limit else 100} % used"
    begin = state.days[0][0]
    passed = (now - begin) // DAY + 1
    if state.end is None:
        share += f" since {begin.astimezone(zone):%-d %b}"
    elif state.end - begin > DAY:
        share += f" on day {passed} of {round((state.end - begin) / DAY)}"
    else:
        share += f" at {now.astimezone(zone):%H:%M}"
    if used >= limit:
        return f"{share}: exhausted{_until(state.end, zone)}"
    at = runs_out(used, limit, begin, now)
    if at is None:
        return f"{share}; too little was seen for a forecast"
    if state.end is None or at < state.end:
        return f"{share}; at this pace exhausted on {_day(at, now, zone)}"
    whole = used * ((state.end - begin) / (now - begin)) * 100 / limit
    return f"{share}; at this pace {whole:.0f} % when it resets on {_day(state.end, now, zone)}"


@dataclass(frozen=True, slots=True)
class _Scale:
    begin: datetime.datetime
    end: datetime.datetime
    top: float

    def x(self, at: datetime.datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((at - self.begin) / (self.end - self.begin))

    def y(self, units: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * units / self.top, 1)

    def path(self, *places: Place) -> str:
        return path_of([(self.x(at), self.y(micros / MICROS_PER_UNIT)) for at, micros in places])

    def ticks(self) -> tuple[Tick, ...]:
        marks = [self.top * n / TICKS for n in range(TICKS + 1)]
        return tuple(Tick(self.y(mark), f"{mark:g}") for mark in marks)


def _point(at: datetime.datetime, micros: int, zone: ZoneInfo) -> Point:
    return Point(f"{at.astimezone(zone):%-d %b %H:%M}", micros / MICROS_PER_UNIT)


def _spent(state: BudgetState, now: datetime.datetime) -> list[Place]:
    """Return what was spent by the end of each day, the last of which is now."""
    starts = [start for start, _ in state.days]
    found, total = [(starts[0], 0)], 0
    for end, (_, micros) in zip([*starts[1:], now], state.days, strict=True):
        total += micros
        found.append((end, total))
    return found


def _end(state: BudgetState, begin: datetime.datetime, now: datetime.datetime) -> datetime.datetime:
    """Return where the chart ends; a budget that never resets is shown as long again, at most."""
    return state.end or now + max(DAY, min(now - begin, 30 * DAY))


def _paces(state: BudgetState, now: datetime.datetime) -> list[float]:
    """Return micros a second, of the whole window and of its last days: the forecast's range."""
    begin = state.days[0][0]
    spans: list[tuple[datetime.datetime, int]] = [(begin, state.posted_micros)]
    recent = state.days[-RECENT_DAYS:]
    if len(state.days) > RECENT_DAYS:
        spans.append((recent[0][0], sum(micros for _, micros in recent)))
    return [micros / (now - at).total_seconds() for at, micros in spans if now - at >= ENOUGH]


def _ends(state: BudgetState, now: datetime.datetime, end: datetime.datetime) -> list[Place]:
    """Return where the lines of the forecast end; none are drawn once the window is over."""
    if end <= now:
        return []
    drawn = (_drawn(state, now, end, pace) for pace in _paces(state, now))
    return [place for place in drawn if place is not None]


def _drawn(
    state: BudgetState, now: datetime.datetime, end: datetime.datetime, pace: float
) -> Place | None:
    """Return where the line of a forecast ends: with the window, or somewhat above the limit."""
    used, most = state.posted_micros + state.held_micros, int(state.limit_micros * HEADROOM)
    if pace <= 0 or used >= most:
        return None
    reached = int(used + pace * (end - now).total_seconds())
    if reached <= most:
        return end, reached
    return now + datetime.timedelta(seconds=(most - used) / pace), most


def _until(end: datetime.datetime | None, zone: ZoneInfo) -> str:
    return "" if end is None else f" until it resets on {end.astimezone(zone):%-d %b %H:%M}"


def _day(at: datetime.datetime, now: datetime.datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    if at - now < DAY:
        return f"{local:%-d %b at %H:%M}"
    return f"{local:%-d %b}" if local.year == now.year else f"{local:%-d %b %Y}"


@dataclass(frozen=True, slots=True)
class GroupMeter:
    """One group of a budget against the limit that each has; percents of the bar."""

    name: str
    spent: int
    held: int
    look: str
    text: str


def group_meters(state: BudgetState) -> list[GroupMeter]:
    """Return the meter of each group, the one that used most first."""
    return [_meter(group, state.limit_micros) for group in state.groups]


def _meter(group: Group, limit_micros: int) -> GroupMeter:
    percent = _share(group.posted_micros + group.held_micros, limit_micros)
    spent = min(FULL_PERCENT, _share(group.posted_micros, limit_micros))
    posted, held = text_from_micros(group.posted_micros), text_from_micros(group.held_micros)
    return GroupMeter(
        name=group.name,
        spent=spent,
        held=min(FULL_PERCENT - spent, _share(group.held_micros, limit_micros)),
        look="bad" if percent >= FULL_PERCENT else "warn" if percent >= WARN_PERCENT else "",
        text=f"{posted} spent, {held} held ({percent} %)",
    )


def _share(micros: int, limit_micros: int) -> int:
    return micros * 100 // limit_micros if limit_micros else FULL_PERCENT
