"""Other systems that courses call."""
