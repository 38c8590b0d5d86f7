"""Tests of the endpoints for images and sound."""
