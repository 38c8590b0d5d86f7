"""Charts as shapes: scales and paths for the SVG of the components in templates/cotton. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 8, 24
TICKS = 4
POINTS_MAX = 400
LEAST = 1e-9
"""What is less is drawn as nothing: no figure of ours is smaller than a millionth."""

SPARK_WIDTH, SPARK_HEIGHT = 96, 24


@dataclass(frozen=True, slots=True)
class Point:
    """A value and what stands below it."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the chart, and what stands beside it."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, and what it says."""

    x: float
    y: float
    width: float
    height: float
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a chart draws; `points` are its table. A line has paths, a bar chart has bars."""

    points: tuple[Point, ...]
    ticks: tuple[Tick, ...]
    line: str
    area: str
    bars: tuple[Bar, ...]
    first: str
    last: str


def chart(points: Sequence[Point]) -> Chart:
    """Return the shapes of a line and of bars for at most 400 points, from zero up."""
    if len(points) > POINTS_MAX:
        raise ValueError(f"a chart has at most {POINTS_MAX} points, not {len(points)}")
    top = round_up(max((point.value for point in points), default=0.0))
    places = [(_x(n, len(points)), _y(point.value, top)) for n, point in enumerate(points)]
    line = path_of(places)
    floor = HEIGHT - BOTTOM
    area = f"{line} L{places[-1][0]:.1f} {floor} L{places[0][0]:.1f} {floor} Z" if places else ""
    return Chart(
        points=tuple(points),
        ticks=tuple(
            Tick(_y(top * n / TICKS, top), f"{top * n / TICKS:g}") for n in range(TICKS + 1)
        ),
        line=line,
        area=area,
        bars=tuple(_bar(n, point, len(points), top) for n, point in enumerate(points)),
        first=points[0].label if points else "",
        last=points[-1].label if len(points) > 1 else "",
    )


def spark(values: Sequence[float]) -> str:
    """Return the path of a line without axes; nothing where there is no line to draw."""
    if len(values) < 2:  # noqa: PLR2004  (one point is no line)
        return ""
    top = max(values) or 1
    step = SPARK_WIDTH / (len(values) - 1)
    room = SPARK_HEIGHT - 2
    return path_of([(n * step, 1 + room - room * value / top) for n, value in enumerate(values)])


def _bar(number: int, point: Point, count: int, top: float) -> Bar:
    room = (WIDTH - LEFT - RIGHT) / count
    y = _y(point.value, top)
    return Bar(
        x=round(LEFT + number * room + room * 0.15, 1),
        y=y,
        width=round(room * 0.7, 1),
        height=round(HEIGHT - BOTTOM - y, 1),
        label=point.label,
        text=f"{point.label}: {point.value:g}",
    )


def _x(number: int, count: int) -> float:
    width = WIDTH - LEFT - RIGHT
    return LEFT + (width * number / (count - 1) if count > 1 else width / 2)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top, 1)


def path_of(places: Sequence[tuple[float, float]]) -> str:
    """Return the path that goes from place to place."""
    return " ".join(
        f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places)
    )


def round_up(value: float) -> float:
    """Return the least of 1, 2, 4, 8 or 10 times a power of ten that is no less."""
    if value < LEAST:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 2, 4, 8, 10) if power * step >= value)
