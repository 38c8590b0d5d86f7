"""How a call passes, and the processes that carry it."""
