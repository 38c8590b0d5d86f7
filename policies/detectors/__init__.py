"""What is in a text: detectors turn the string leaves of a call into findings."""
