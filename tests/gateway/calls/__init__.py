"""Tests of what a call's records say."""
