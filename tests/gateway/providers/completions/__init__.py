"""Tests of the completions API."""
