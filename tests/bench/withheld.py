"""What it costs to look through a stream as it comes, in microseconds of CPU for each chunk.

    python -m tests.bench.withheld

Chunks of four or five characters in the events of each API, personal data and credentials looked
for. Promised are 60 µs for prose.
"""

import itertools
import time

from gateway.exchange import Usage
from gateway.providers.conversation import Text
from policies.detectors.scanner import DetectorConfig, Scanner
from tests.bench.scan import CODE, ENTITIES, PROSE
from tests.gateway.providers.withheld.judging import DIALECTS, Judge, reply, streamed, written

ROUNDS = 7


def main() -> None:
    """Print a table: the best of some rounds."""
    judge = Judge(Scanner(DetectorConfig(("DE", "GB", "US"), ("DE", "GB", "US"))))
    prose = " ".join(PROSE.split())
    texts = {
        "prose": prose,
        "entities": " ".join(f"{one} {prose[:300]}" for one in ENTITIES),
        "code": CODE * 2,
    }
    for name, text in texts.items():
        for endpoint in DIALECTS:
            told = reply((Text(text),), usage=Usage(5, 7))
            events = written(endpoint, told, itertools.cycle((4, 5)))
            best = float("inf")
            for _ in range(ROUNDS):
                began = time.process_time()
                streamed(endpoint, events, judge)
                best = min(best, time.process_time() - began)
            print(f"{name:10} {endpoint:18} {best / len(events) * 1e6:7.1f} µs a chunk")


if __name__ == "__main__":
    main()
