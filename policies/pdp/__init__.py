"""The policy decision point: facts and policy versions in, a decision out. Pure."""
