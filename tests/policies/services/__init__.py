"""Tests of the writes of the policies room."""
