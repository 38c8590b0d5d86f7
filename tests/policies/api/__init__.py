"""Tests of the policies room in the management API."""
