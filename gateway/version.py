"""The version of Gatehouse that runs: the same as in pyproject.toml. Pure."""

VERSION = "0.1.0"
