"""What was used: rolled up by hour and by day of each tenant's calendar, and read from there."""
