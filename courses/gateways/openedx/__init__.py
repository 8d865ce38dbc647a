"""The course site (Open edX): its LMS and Studio."""
