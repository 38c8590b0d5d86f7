"""How long a scan takes, in microseconds and as a multiple of a fixed piece of plain Python.

    python -m tests.bench.scan

The multiple is what to compare between machines, and between a quiet and a busy one.
"""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

from policies.detectors.finding import Leaf
from policies.detectors.scanner import DetectorConfig, Scanner

ALL = frozenset({"pii", "secrets", "injection"})
CONFIGS = {
    "US": DetectorConfig(("US",), ("US",)),
    "US GB DE": DetectorConfig(("DE", "GB", "US"), ("DE", "GB", "US")),
}
PROSE = """
The quarterly review showed that support volume rose after the March release, mostly because of
confusing error messages. Please summarise the notes and list the three most important items. In
2023 the group reduced average response time from 41 to 18 minutes across 12 regions. Rewrite this
paragraph in a friendlier tone, keep it under 120 words, and avoid technical jargon. The engineer
restarted the service twice, but the queue depth stayed above 4500 until the cache was cleared.
Total revenue was 1,240,500 with a margin of 17.5%, compared with 1,105,230 in the period before.
The contract requires a written notice of at least thirty days before termination takes effect.
We should compare the two vendors on price, residency of data, uptime and documentation. Draft a
polite reply that declines the meeting but offers two alternative slots next week. The committee
agreed to postpone the decision until the independent audit has been completed.
"""
CODE = """
def fetch(user_id: int, retries: int = 3) -> dict:
    response = session.get(f"{BASE}/v1/users/{user_id}?expand=roles", timeout=(3.05, 27))
    if response.status_code == 200: return response.json()
{"id": 10482, "items": [{"sku": "AB-1029-X", "qty": 4, "price": 19.99}], "ts": 1718036482}
SELECT o.id, o.cents / 100.0 FROM orders o WHERE o.created >= '2024-01-01' AND o.status IN (1, 4);
"""
ENTITIES = (
    "Reach Maria at maria.lopez@example.com for details.",
    "Call the office on +1 (212) 555-0147 after lunch.",
    "My card is 4111 1111 1111 1111, exp 09/27.",
)


def _cut(text: str, length: int) -> str:
    flat = text.replace("\n", " ").strip() + " "
    return (flat * (length // len(flat) + 1))[:length]


def _texts() -> Iterator[tuple[str, str]]:
    found = " ".join(ENTITIES)
    for length in (460, 1024):
        yield f"prose {length}", _cut(PROSE, length)
        yield f"code {length}", _cut(CODE, length)
        yield f"3 entities {length}", f"{found} {_cut(PROSE, length - len(found) - 1)}"
    yield "french 1024", _cut("Où sont les résumés déjà envoyés à l'équipe ? ", 1024)
    yield "chinese 1024", _cut("请总结以下笔记\uff0c并列出团队最重要的三个行动项目。", 1024)
    draw = random.Random(1)
    numbers = (f"({draw.randint(200, 999)}) 555-{draw.randint(0, 9999):04d}" for _ in range(600))
    yield "telephone book 8192", " ".join(numbers)[:8192]


def _best(work: Callable[[], object], seconds: float = 0.2) -> float:
    """Return the fewest microseconds that the work took, of as many tries as there is time for."""
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def main() -> None:
    """Print a table."""
    yardstick = _best(lambda: sum(index * index % 7 for index in range(1500)))
    print(f"yardstick {yardstick:.0f} µs")
    for name, config in CONFIGS.items():
        start = time.perf_counter()
        scanner = Scanner(config)
        print(f"\n{name}: made in {(time.perf_counter() - start) * 1e3:.0f} ms")
        for label, text in _texts():
            leaves = [Leaf(text, "user", "messages[0].content")]
            scan = scanner.scan(leaves, ALL)
            taken = _best(partial(scanner.scan, leaves, ALL))
            print(
                f"  {label:22} {taken:9.1f} µs {taken / yardstick:8.2f} x"
                f" {len(scan.findings):5} findings"
            )


if __name__ == "__main__":
    main()
