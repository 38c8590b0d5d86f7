"""Migrations of the policies room."""
