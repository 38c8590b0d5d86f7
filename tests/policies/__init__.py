"""What is allowed: the language, the decision and the detectors."""
