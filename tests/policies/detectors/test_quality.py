"""The figures of docs/detectors.md are those that the detectors have today."""

from tests.bench.quality import MARKS, PAGE, tables


def test_the_page_tells_the_figures_of_today():
    shown = MARKS.search(PAGE.read_text())
    assert shown[0].removeprefix(shown[1]).removesuffix(shown[2]) == tables(), (
        "python -m tests.bench.quality --write"
    )
