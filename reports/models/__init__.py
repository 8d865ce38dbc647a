"""The tables of reports: they keep what was found, never what it is about."""
