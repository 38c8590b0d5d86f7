"""What tells the signatures of Gemini's thoughts from those of other vendors. Pure."""

SIGNED = "gemini:"
"""What a signature of a thought begins with, so that no other vendor is shown it, nor this one
another's."""
