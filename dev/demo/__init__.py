"""The demo: an invented brand with courses, programs, organizations and people.

Existing rows are left alone, so loading twice changes nothing. Dates are relative to the day of loading, and loading
again gives a course a new start once its last one is over.
"""
