"""Evidence as files: exactly what a filter asks for, whole or not at all."""
