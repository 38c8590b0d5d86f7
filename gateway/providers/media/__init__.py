"""The endpoints of the OpenAI dialect for images and sound."""
