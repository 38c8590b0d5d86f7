"""Tests of the search for facts."""
