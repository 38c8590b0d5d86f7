"""The Gemini dialect, provider side: generateContent and its stream."""
