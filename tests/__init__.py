"""What must hold, shown room by room."""
