"""How often a program may die, and how long to wait before it is started again. Pure."""

from collections import deque
from dataclasses import dataclass, field

FIRST_DELAY_S = 0.5
LAST_DELAY_S = 10.0
WINDOW_S = 60.0
DEATHS_MAX = 5


@dataclass(slots=True)
class History:
    """When a part died, and what follows from it. Times are seconds of any steady clock."""

    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS_MAX))
    streak: int = 0

    def note(self, started: float, died: float) -> float | None:
        """Return the delay before the next start, or None after too many deaths in a window."""
        self.streak = 1 if died - started >= WINDOW_S else self.streak + 1
        self.deaths.append(died)
        if len(self.deaths) == DEATHS_MAX and died - self.deaths[0] < WINDOW_S:
            return None
        return float(min(FIRST_DELAY_S * 2 ** (self.streak - 1), LAST_DELAY_S))
