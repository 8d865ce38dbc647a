"""A double of an Open edX course site: the LMS and Studio over HTTP, with a state of their own."""
