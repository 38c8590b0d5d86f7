"""Tests of the tenants room in the management API."""
