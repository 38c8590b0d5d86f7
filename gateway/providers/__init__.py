"""One file per wire format: bytes become values, values become bytes."""
