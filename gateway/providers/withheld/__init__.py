"""Streams in the client's dialect of which only what is certain leaves."""
