"""What is allowed: policies, their life cycle, the decision point and the detectors."""
