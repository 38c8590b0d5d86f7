"""Tests of the tenants room."""
