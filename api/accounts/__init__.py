"""People and countries."""
