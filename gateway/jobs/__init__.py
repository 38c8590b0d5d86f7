"""Work that outlives a request: claimed under a lease, fenced, taken up again after a death."""
