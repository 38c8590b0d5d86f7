"""What `bootstrap` sets up: a demo tenant on the simulated provider, and a policy to start from."""
