"""Tests of what stands before the resources of the management API."""
