"""The responses API of the OpenAI dialect."""
