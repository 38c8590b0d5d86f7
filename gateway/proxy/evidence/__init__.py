"""Records to PostgreSQL: the one place of the data plane that writes to it."""
