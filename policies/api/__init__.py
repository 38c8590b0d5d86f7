"""The policies room in the management API, one file a noun."""
