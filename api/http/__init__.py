"""What every operation has: callers, refusals, pages of lists, the schema."""
