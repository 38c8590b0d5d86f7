"""The management API of tenants and of what is theirs, by noun."""
