"""Tests of the gateway room in the management API."""
