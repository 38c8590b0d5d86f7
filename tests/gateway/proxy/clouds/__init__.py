"""Providers of the clouds, called through a running gateway."""
