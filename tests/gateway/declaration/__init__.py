"""Tests of the declarative file."""
