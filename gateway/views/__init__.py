"""Pages of the console, by noun: each reads a request, calls a selector or service, renders."""
