"""Tests of the responses API."""
