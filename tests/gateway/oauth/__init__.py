"""Tests of how the OAuth2 server differs from the library's."""
