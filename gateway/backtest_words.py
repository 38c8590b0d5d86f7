"""What a back-test found, in sentences: for pages and the command line. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

NAMES_SHOWN = 5
SAID: Mapping[str, str] = {
    "newly_denied": "would newly be refused",
    "newly_permitted": "would newly be permitted",
    "other_reason": "would be refused for another reason",
    "other_obligations": "would be permitted on other terms",
}
"""The changes that are told, in their order."""


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Return who would be affected, a sentence for each change that there is."""
    found = [_sentence(result, kind) for kind in SAID if result["changes"][kind]]
    return found or [f"Nothing would change for {_calls(result['compared'])}."]


def caveats(result: Mapping[str, Any]) -> Iterable[str]:
    """Yield what the counts do not tell."""
    if result["refused_anyway"]:
        yield f"{result['refused_anyway']:,} of those newly refused were refused by a limit anyway."
    for row in result["lacking"]:
        verb = "is" if row["calls"] == 1 else "are"
        yield f"{_calls(row['calls'])} {verb} not comparable; the records lack: {row['facts']}"
    if result["path_dependent"]:
        names = ", ".join(result["path_dependent"])
        yield f"Approximate: {names} would have been otherwise under this policy."


def _sentence(result: Mapping[str, Any], kind: str) -> str:
    count, of = result["changes"][kind], result["compared"]
    apps = [row for row in result["by_app"] if row[kind]]
    named = ", ".join(f"app {row['name']} {row[kind]:,}" for row in apps[:NAMES_SHOWN])
    more = f" and {len(apps) - NAMES_SHOWN} more apps" if len(apps) > NAMES_SHOWN else ""
    return f"{count:,} of {_calls(of)} {SAID[kind]}: {named}{more}"


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
