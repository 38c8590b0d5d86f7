"""Azure OpenAI: the OpenAI dialect, at Azure's addresses and with Azure's credentials."""
