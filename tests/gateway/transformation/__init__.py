"""Declared transformations, read and applied."""
