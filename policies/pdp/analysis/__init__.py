"""What can be said of policies without a call: faults, differences, and what would pass. Pure."""
