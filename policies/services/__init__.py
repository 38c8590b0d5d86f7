"""Writes of the policies room, one file a noun."""
