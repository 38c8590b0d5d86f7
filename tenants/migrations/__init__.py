"""Migrations of the tenants room."""
