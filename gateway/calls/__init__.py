"""What the records of one call say, as values that a page can show."""
