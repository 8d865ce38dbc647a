class EmbeddedError(Exception):
    """An embedded server can't be started or stopped; the message says why and what to do."""
