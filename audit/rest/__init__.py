"""What all resources of the management API share; in the lowest room, where all can import it."""
