"""The data plane: the policy enforcement point. No Django here. Read pipeline.py first."""
