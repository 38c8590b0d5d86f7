"""Who serves a call, in which order, and when a deployment is left alone. Pure."""
