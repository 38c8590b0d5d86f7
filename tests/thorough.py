"""How much is tried where a test draws at random: `make test-long` tries many times as much."""

import os

TIMES = int(os.environ.get("GATEHOUSE_TEST_EXAMPLES", "1"))
"""By how much more; 1 is what `make test` tries."""

HYPOTHESIS = 100
"""How many examples Hypothesis tries where a test says nothing of it."""


def times(count):
    """Return how many examples are tried where usually so many are."""
    return count * TIMES
