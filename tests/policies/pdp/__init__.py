"""The decision point: language, compiler, evaluation, merging."""
