"""How a call passes: wiring, catalogue, data plane, and the processes that carry them."""
