"""The Anthropic dialect, client side."""
