"""The process that finds names by a model, and how it is spoken with."""
