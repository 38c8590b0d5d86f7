"""The provider that is a function."""
