"""The management API of the catalogue, of apps and keys, calls and applications, by noun."""
