"""Tests of what the resources of the management API share."""
