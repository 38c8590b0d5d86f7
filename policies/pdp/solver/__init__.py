"""Finds facts for which conditions hold, or proves that there are none. Pure."""
