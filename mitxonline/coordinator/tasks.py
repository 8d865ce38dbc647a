"""What the worker does for the coordinator."""
