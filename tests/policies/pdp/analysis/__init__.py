"""Tests of what is said of policies without a call."""
