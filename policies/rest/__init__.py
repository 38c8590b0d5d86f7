"""Reads of the management API about policies that are more than rows."""
