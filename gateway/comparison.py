"""Usage by one dimension, each value beside what it was in the range before. Pure."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from audit.exports.cells import cell
from tenants.money import text_from_micros
from tenants.usage.reading import Breakdown, Figures

COUNTS = (
    "calls", "refused", "denied", "redacted", "failed", "lost", "input_tokens", "output_tokens",
    "cached_tokens", "cache_hits", "cache_misses", "p50_ms", "p95_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Before:
    """What a value was in the range before."""

    calls: int
    cost_micros: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What was spent in one currency, and how that compares."""

    currency: str
    micros: int
    change: str


@dataclass(frozen=True, slots=True)
class Row:
    """One value of the dimension, or the total."""

    value: str
    label: str
    figures: Figures
    calls_change: str
    costs: tuple[Cost, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows, dearest first, and their total, which counts those that were left out, too."""

    rows: tuple[Row, ...]
    total: Row
    has_before: bool


def compared(now: Breakdown, before: Mapping[str, Figures]) -> Table:
    """Return a breakdown beside what its values were before; nothing is new where all is."""
    if not before:
        alone = tuple(_row(line.value, line.label, line.figures, None) for line in now.lines)
        return Table(alone, _row("", "Total", now.totals, None), has_before=False)
    nothing = Before(0, {})
    known = {value: Before(each.calls, each.cost_micros) for value, each in before.items()}
    rows = tuple(
        _row(line.value, line.label, line.figures, known.get(line.value, nothing))
        for line in now.lines
    )
    return Table(rows, _row("", "Total", now.totals, _added(known.values())), has_before=True)


def _added(all_before: Collection[Before]) -> Before:
    costs: dict[str, int] = {}
    for one in all_before:
        for currency, micros in one.cost_micros.items():
            costs[currency] = costs.get(currency, 0) + micros
    return Before(sum(one.calls for one in all_before), costs)


def change(now: int, before: int) -> str:
    """Return "+12 %", or that there was nothing before; nothing where nothing changed."""
    if now == before:
        return ""
    if not before:
        return "new"
    return f"{(now - before) * 100 / before:+.0f} %".replace("-", "\N{MINUS SIGN}")


def as_csv(by: str, table: Table) -> str:
    """Return the table as CSV whose cells no spreadsheet runs; the last line is the total."""
    currencies = sorted(table.total.figures.cost_micros)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    costs = [f"{what} {currency}" for what in ("cost", "saved") for currency in currencies]
    writer.writerow([cell(name) for name in (by, "label", *COUNTS, *costs)])
    for row in (*table.rows, table.total):
        writer.writerow(_cells(row, currencies))
    return text.getvalue()


def _cells(row: Row, currencies: Sequence[str]) -> list[str]:
    figures = row.figures
    counts = [getattr(figures, name) for name in COUNTS]
    costs = [
        text_from_micros(money.get(currency, 0))
        for money in (figures.cost_micros, figures.saved_micros)
        for currency in currencies
    ]
    return [cell(each) for each in (row.value, row.label, *counts)] + costs


def _row(value: str, label: str, figures: Figures, before: Before | None) -> Row:
    return Row(
        value=value,
        label=label,
        figures=figures,
        calls_change=change(figures.calls, before.calls) if before else "",
        costs=tuple(
            Cost(
                currency,
                micros,
                change(micros, before.cost_micros.get(currency, 0)) if before else "",
            )
            for currency, micros in figures.cost_micros.items()
        ),
    )
