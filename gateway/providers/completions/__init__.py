"""The old completions API of the OpenAI dialect: a text goes on."""
