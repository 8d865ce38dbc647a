"""What can go wrong with an embedded server, as sentences."""


class EmbeddedError(Exception):
    """An embedded server can't be had; the message says why and what to do."""
