"""The OpenAI dialect, on both sides."""
